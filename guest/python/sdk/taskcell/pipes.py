"""Pipes between two tasks."""

from typing import Any

import wit_world.imports.pipe as bound

from .codec import BYTES, JSON, Codec
from .errors import Denied, call, nanoseconds


class _GivenAway:
    """Stands for a handle that this task has no more."""

    def __getattr__(self, name: str) -> Any:
        raise Denied("this end of the pipe was given away")


class Connection:
    """One end of a pipe. It has one owner: giving it to another task moves it."""

    def __init__(self, handle: bound.Connection, codec: type[Codec] = JSON):
        """The end that a task was given, or one of those that `Pipe` makes."""
        self.handle = handle
        self.codec = codec

    @classmethod
    def of(cls, handle: bound.Connection, codec: type[Codec] = JSON) -> "Connection":
        """The same, as other classes have it."""
        return cls(handle, codec)

    def send(self, item: Any, timeout: float | None = None) -> None:
        """Sends an item; waits while the pipe is full. Raises Closed if an end is."""
        self._send(self.codec, item, timeout)

    def send_bytes(self, data: bytes, timeout: float | None = None) -> None:
        self._send(BYTES, data, timeout)

    def recv(self, timeout: float | None = None) -> Any:
        """Takes the next item; waits for one. Raises Closed, an EOFError, when the other end is and all was received."""
        return self.codec.decode(self.recv_bytes(timeout))

    def recv_bytes(self, timeout: float | None = None) -> bytes:
        return call(self.handle.recv, nanoseconds(timeout))

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether `recv` would not wait; waits so long until it is so."""
        return call(self.handle.poll, nanoseconds(timeout))

    def close(self) -> None:
        self.handle.close()

    def ready(self) -> Any:
        """For `wait`: `recv` would not wait."""
        return self.handle.recv_ready()

    def _send(self, codec: type[Codec], item: Any, timeout: float | None) -> None:
        call(self.handle.send, codec.encode(item), nanoseconds(timeout))

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close()

    def give(self, invocation: Any) -> None:
        """Makes it the next argument of a task, and gives it away."""
        handle, self.handle = self.handle, _GivenAway()
        invocation.push_connection(handle)


def Pipe(duplex: bool = True, *, name: str | None = None, codec: type[Codec] = JSON) -> tuple[Connection, Connection]:
    """Makes a pipe. If it is not duplex, the first end receives and the second sends."""
    first, second = call(bound.open, bound.Options(duplex, name))
    return Connection(first, codec), Connection(second, codec)
