"""Many tasks over a fixed number of worker processes."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import wit_world.imports.pool as bound
from wit_world.imports.types import State_Ended

from .errors import call, nanoseconds
from .processes import invocation_of, result_of, task_name, value_of, state_text


class Pool:
    """A pool of workers, as `multiprocessing.Pool` is one: `with Pool(4) as pool: pool.map("square", range(10))`.

    The death of a worker costs the task that it was running and no other.
    """

    def __init__(
        self,
        processes: int | None = None,
        *,
        reuse: bool = False,
        timeout: float | None = None,
        retries: int = 0,
        memory: int | None = None,
        maxtasksperchild: int | None = None,
        name: str | None = None,
    ):
        """`reuse`: tasks of a worker share an instance. `timeout`, `memory` (bytes): limits of each task. `retries`: how often a task is
        tried again after its worker died or its time was over."""
        isolation = bound.Isolation.REUSE if reuse else bound.Isolation.FRESH
        options = bound.Options(processes, isolation, nanoseconds(timeout), retries, memory, maxtasksperchild, name)
        self.handle = call(bound.Pool.create, options)

    def apply(self, target: str | Callable, args: Iterable[Any] = ()) -> Any:
        """Runs one task and gives its result."""
        return self.apply_async(target, args).get()

    def apply_async(self, target: str | Callable, args: Iterable[Any] = ()) -> "AsyncResult":
        """Submits one task."""
        return AsyncResult(call(self.handle.submit, invocation_of(target, args)))

    def map(self, target: str | Callable, values: Iterable[Any]) -> list[Any]:
        """Calls a task once for each value; results in the order of the values. Raises the TaskError of the first that failed, after
        all have ended."""
        return list(map(result_of, call(self.handle.map, task_name(target), [value_of(value) for value in values])))

    def imap(self, target: str | Callable, values: Iterable[Any], window: int = 0) -> Iterator[Any]:
        """The same as a stream, for any number of values: at most `window` are under way, 0 for four per worker.
        Raises the TaskError of the first that failed, and cancels the rest."""
        return self._stream(target, values, True, window)

    def imap_unordered(self, target: str | Callable, values: Iterable[Any], window: int = 0) -> Iterator[Any]:
        """The same, results as tasks end."""
        return self._stream(target, values, False, window)

    def _stream(self, target: str | Callable, values: Iterable[Any], ordered: bool, window: int) -> Iterator[Any]:
        with call(self.handle.imap, task_name(target), ordered, window) as mapping:
            source = iter(values)
            waiting = list(islice(source, 64))
            while waiting:
                # What there is room for goes in; then what is due comes out, which makes room.
                try:
                    taken = call(mapping.push, [value_of(value) for value in waiting], 0)
                except TimeoutError:
                    taken = 0
                waiting = waiting[taken:] + list(islice(source, taken))
                if waiting and taken == 0:
                    yield from (result_of(each.outcome) for each in call(mapping.next, 64, None))
            mapping.finish()
            while due := call(mapping.next, 1024, None):
                yield from (result_of(each.outcome) for each in due)

    def close(self) -> None:
        """No more tasks; those that were submitted go on."""
        self.handle.shutdown(False)

    def join(self, timeout: float | None = None) -> None:
        """Takes no more tasks and waits until those that were submitted have ended."""
        call(self.handle.drain, nanoseconds(timeout))

    def terminate(self) -> None:
        """Stops everything at once."""
        self.handle.kill()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.terminate()


class AsyncResult:
    """A task that was submitted."""

    def __init__(self, handle: bound.TaskFuture):
        self.handle = handle

    def get(self, timeout: float | None = None) -> Any:
        """Waits for its result. Raises TaskError if it did not return, and TimedOut."""
        return result_of(call(self.handle.result, nanoseconds(timeout)))

    def wait(self, timeout: float | None = None) -> None:
        """Waits until it has ended, or so long."""
        try:
            call(self.handle.result, nanoseconds(timeout))
        except TimeoutError:
            pass

    def done(self) -> bool:
        return isinstance(self.handle.state(), State_Ended)

    @property
    def state(self) -> str:
        """ready, running, waiting (with what for) or ended."""
        return state_text(self.handle.state())

    def cancel(self) -> bool:
        """Stops it, also if it runs. False if it had ended."""
        return self.handle.cancel()

    def ready(self) -> Any:
        """For `wait`: it has ended."""
        return self.handle.ready()
