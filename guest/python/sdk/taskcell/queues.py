"""Queues between tasks."""

from collections.abc import Iterable, Iterator
from typing import Any

import wit_world.imports.queue as bound

from .codec import JSON, Codec
from .errors import Closed, Empty, Full, call, nanoseconds


class Queue:
    """A queue of messages, as `multiprocessing.Queue` is one; it can be closed, and messages can be taken under a lease."""

    def __init__(self, maxsize: int = 0, *, max_attempts: int | None = None, name: str | None = None, codec: type[Codec] = JSON):
        """Makes a queue. `maxsize` 0: as much as the host allows. `max_attempts`: how often a message is delivered under a lease."""
        self.handle = call(bound.Queue.create, bound.Options(maxsize or None, max_attempts, name))
        self.codec = codec

    @classmethod
    def of(cls, handle: bound.Queue, codec: type[Codec] = JSON) -> "Queue":
        """The queue that a task was given."""
        queue = cls.__new__(cls)
        queue.handle = handle
        queue.codec = codec
        return queue

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Adds an item at the end; waits for room. Raises Full, and Closed if the queue is."""
        call(self.handle.put, self.codec.encode(item), nanoseconds(timeout) if block else 0, timed_out=Full)

    def put_nowait(self, item: Any) -> None:
        self.put(item, block=False)

    def put_many(self, items: Iterable[Any], timeout: float | None = None) -> None:
        """Adds all of these with nothing between them, or none: one call to the host."""
        call(self.handle.put_many, [self.codec.encode(item) for item in items], nanoseconds(timeout), timed_out=Full)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Takes the oldest item; waits for one. Raises Empty, and Closed when the queue is and nothing can come any more."""
        return self.codec.decode(call(self.handle.get, nanoseconds(timeout) if block else 0, timed_out=Empty))

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def get_many(self, limit: int, timeout: float | None = None) -> list[Any]:
        """Takes at least one item and at most `limit`: one call to the host."""
        return [self.codec.decode(message) for message in call(self.handle.get_many, limit, nanoseconds(timeout), timed_out=Empty)]

    def __iter__(self) -> Iterator[Any]:
        """Takes items until the queue is closed and empty."""
        while True:
            try:
                item = self.get()
            except Closed:
                return
            yield item

    def receive(self, lease: float, timeout: float | None = None) -> "Delivery":
        """Takes an item for `lease` seconds. If it is not answered for by then it is delivered once more."""
        handle = call(self.handle.receive, nanoseconds(lease), nanoseconds(timeout), timed_out=Empty)
        return Delivery(handle, self.codec)

    def qsize(self) -> int:
        """How many items could be taken now. It may be another number already."""
        return self.handle.len()

    def empty(self) -> bool:
        return self.qsize() == 0

    def counts(self) -> bound.Counts:
        """How many items wait, are under a lease, are delayed, were rejected, were dropped."""
        return self.handle.counts()

    def rejected(self, limit: int) -> list[tuple[Any, int]]:
        """Takes items that were given up, each with how often it was delivered."""
        return [(self.codec.decode(each.message), each.attempts) for each in call(self.handle.take_rejected, limit)]

    def close(self) -> None:
        """No more items, from anybody. What is there can still be taken."""
        call(self.handle.close)

    def join(self, timeout: float | None = None) -> None:
        """Waits until all items were taken, and answered for if they were taken under a lease."""
        call(self.handle.join, nanoseconds(timeout))

    def restrict(self, *, get: bool = False, put: bool = False) -> "Queue":
        """The same queue with fewer rights, to be given away."""
        rights = (bound.Rights.GET if get else bound.Rights(0)) | (bound.Rights.PUT if put else bound.Rights(0))
        return Queue.of(call(self.handle.restrict, rights), self.codec)

    def ready(self) -> Any:
        """For `wait`: an item can be taken."""
        return self.handle.get_ready()

    def give(self, invocation: Any) -> None:
        """Makes it the next argument of a task."""
        invocation.push_queue(self.handle)


class Delivery:
    """An item under a lease. `with queue.receive(60) as delivery:` acknowledges it at the end, and gives it back on an exception."""

    def __init__(self, handle: bound.Delivery, codec: type[Codec]):
        self.handle = handle
        self.item = codec.decode(handle.message())
        self.attempt = handle.attempt()

    def ack(self) -> None:
        """It is done, and gone."""
        call(self.handle.ack)

    def nack(self, delay: float = 0) -> None:
        """It is to be delivered again, at once or after `delay` seconds."""
        call(self.handle.nack, nanoseconds(delay))

    def extend(self, lease: float) -> None:
        """The lease ends so many seconds from now."""
        call(self.handle.extend, nanoseconds(lease))

    def reject(self) -> None:
        """Nobody can handle it."""
        call(self.handle.reject)

    def __enter__(self) -> "Delivery":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        with self.handle:
            if kind is None:
                self.ack()
            # On an exception dropping the handle gives the message back.
