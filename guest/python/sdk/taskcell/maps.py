"""Maps that tasks share."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import wit_world.imports.shared_map as bound

from .codec import JSON, Codec
from .errors import call, nanoseconds

_MISSING = object()


class SharedMap(MutableMapping):
    """A dict of strings to values that tasks share, as `multiprocessing.Manager().dict()` is one.

    Each method is one step. `m[k] = m[k] + 1` is two, so somebody else may come between: `increment` and `compare_and_swap` are for that.
    """

    def __init__(self, items: Mapping[str, Any] | None = None, *, name: str | None = None, codec: type[Codec] = JSON):
        """Makes a map."""
        self.handle = call(bound.SharedMap.create, name)
        self.codec = codec
        if items:
            self.update(items)

    @classmethod
    def of(cls, handle: bound.SharedMap, codec: type[Codec] = JSON) -> "SharedMap":
        """The map that a task was given."""
        shared = cls.__new__(cls)
        shared.handle = handle
        shared.codec = codec
        return shared

    def entry(self, key: str) -> tuple[Any, int | None]:
        """A key's value and version; `(None, None)` if it is absent."""
        return self._entry(call(self.handle.get, key))

    def __getitem__(self, key: str) -> Any:
        found = call(self.handle.get, key)
        if found is None:
            raise KeyError(key)
        return self.codec.decode(found.value)

    def __setitem__(self, key: str, value: Any) -> None:
        self.set(key, value)

    def set(self, key: str, value: Any, expires_in: float | None = None) -> int:
        """Sets a key and gives its version; it vanishes by itself after so many seconds."""
        return call(self.handle.set, key, self.codec.encode(value), nanoseconds(expires_in))

    def __delitem__(self, key: str) -> None:
        if not call(self.handle.remove, key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and call(self.handle.contains, key)

    def __len__(self) -> int:
        return call(self.handle.len)

    def __iter__(self) -> Iterator[str]:
        """The keys, in order, page by page: not all of one moment."""
        page = call(self.handle.keys, "", None, 0)
        yield from page.keys
        while page.next is not None:
            page = call(self.handle.keys, "", page.next, 0)
            yield from page.keys

    def entries(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys and values, as pages of up to 1000: fewer calls than `items`."""
        page = call(self.handle.items, prefix, None, 0)
        while True:
            yield from ((item.key, self.codec.decode(item.entry.value)) for item in page.items)
            if page.next is None:
                return
            page = call(self.handle.items, prefix, page.next, 0)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        found = call(self.handle.pop, key)
        if found is not None:
            return self.codec.decode(found.value)
        if default is _MISSING:
            raise KeyError(key)
        return default

    def setdefault(self, key: str, default: Any = None) -> Any:
        return self.codec.decode(call(self.handle.set_default, key, self.codec.encode(default)).value)

    def update(self, *items: Any, **named: Any) -> None:
        """Sets all of these at one moment."""
        new = dict(*items, **named)
        call(self.handle.set_many, [bound.Assignment(key, self.codec.encode(value)) for key, value in new.items()])

    def clear(self) -> None:
        call(self.handle.clear)

    def increment(self, key: str, by: int = 1) -> int:
        """Adds to an integer, and gives the sum: exact, however many do it at once. An absent key counts as 0."""
        return call(self.handle.increment, key, by)

    def compare_and_swap(self, key: str, version: int | None, value: Any, expires_in: float | None = None) -> bool:
        """Sets a key if it is still at this version (None: absent), and tells whether it did."""
        swapped = call(self.handle.compare_and_swap, key, version, self.codec.encode(value), nanoseconds(expires_in))
        return isinstance(swapped, bound.SwapResult_Swapped)

    def watch(self, key: str, since: int | None = None, timeout: float | None = None) -> tuple[Any, int | None]:
        """Waits until a key is not at the version `since` any more; gives what is there as `entry` does."""
        return self._entry(call(self.handle.watch, key, since, nanoseconds(timeout)))

    def restrict(self, *, read: bool = False, write: bool = False, prefix: str = "") -> "SharedMap":
        """The same map with fewer rights or keys, to be given away."""
        rights = (bound.Rights.READ if read else bound.Rights(0)) | (bound.Rights.WRITE if write else bound.Rights(0))
        return SharedMap.of(call(self.handle.restrict, rights, prefix), self.codec)

    def _entry(self, found: bound.Entry | None) -> tuple[Any, int | None]:
        return (None, None) if found is None else (self.codec.decode(found.value), found.version)

    def give(self, invocation: Any) -> None:
        """Makes it the next argument of a task."""
        invocation.push_shared_map(self.handle)
