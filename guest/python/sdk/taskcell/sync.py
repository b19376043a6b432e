"""Locks, semaphores, events, conditions and barriers between tasks. What a task holds when it ends, however it ends, is given on."""

from collections.abc import Callable
from typing import Any

import wit_world.imports.sync as bound

from .errors import TimedOut, call, nanoseconds


def _in_time(block: bool, timeout: float | None, function: Callable, *parameters: Any) -> tuple[bool, Any]:
    """Whether a call was answered in time, and its answer."""
    try:
        return True, call(function, *parameters, nanoseconds(timeout) if block else 0)
    except TimedOut:
        return False, None


class Lock:
    """A lock that one task holds at a time: `with lock:`."""

    _reentrant = False

    def __init__(self, *, name: str | None = None):
        self.handle = call(bound.Lock.create, self._reentrant, name)
        self.abandoned = False

    @classmethod
    def of(cls, handle: bound.Lock) -> "Lock":
        """The lock that a task was given."""
        lock = cls.__new__(cls)
        lock.handle = handle
        lock.abandoned = False
        return lock

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Waits for the lock; False if the time is over. `abandoned` is True then if its last owner ended while it held it: what the
        lock guards may be half done."""
        answered, how = _in_time(block, timeout, self.handle.acquire)
        self.abandoned = how is bound.Acquired.ABANDONED
        return answered

    def release(self) -> None:
        call(self.handle.release)

    def __enter__(self) -> "Lock":
        self.acquire()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.release()

    def give(self, invocation: Any) -> None:
        """Makes it the next argument of a task."""
        invocation.push_lock(self.handle)


class RLock(Lock):
    """A lock whose owner may acquire it again, and has to release it as often."""

    _reentrant = True


class Semaphore:
    """A number of permits. Anybody may release more than was acquired, and the end of a task changes nothing."""

    _kind = bound.SemaphoreKind.COUNTING

    def __init__(self, value: int = 1, *, name: str | None = None):
        self.handle = call(bound.Semaphore.create, value, self._kind, name)

    @classmethod
    def of(cls, handle: bound.Semaphore) -> "Semaphore":
        """The semaphore that a task was given."""
        semaphore = cls.__new__(cls)
        semaphore.handle = handle
        return semaphore

    def acquire(self, block: bool = True, timeout: float | None = None, permits: int = 1) -> bool:
        """Takes permits; False if the time is over."""
        return _in_time(block, timeout, self.handle.acquire, permits)[0]

    def release(self, permits: int = 1) -> None:
        call(self.handle.release, permits)

    def __enter__(self) -> "Semaphore":
        self.acquire()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.release()

    def give(self, invocation: Any) -> None:
        """Makes it the next argument of a task."""
        invocation.push_semaphore(self.handle)


class BoundedSemaphore(Semaphore):
    """Permits that are lent: a task releases those that it acquired only, and those of a task that ends come back."""

    _kind = bound.SemaphoreKind.OWNED


class Event:
    """A flag to wait for."""

    def __init__(self, *, name: str | None = None):
        self.handle = call(bound.Event.create, name)

    @classmethod
    def of(cls, handle: bound.Event) -> "Event":
        """The event that a task was given."""
        event = cls.__new__(cls)
        event.handle = handle
        return event

    def set(self) -> None:
        self.handle.set()

    def clear(self) -> None:
        self.handle.clear()

    def is_set(self) -> bool:
        return self.handle.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the flag is set; False if the time is over."""
        return _in_time(True, timeout, self.handle.wait)[0]

    def ready(self) -> Any:
        """For `wait`: the flag is set."""
        return self.handle.ready()

    def give(self, invocation: Any) -> None:
        """Makes it the next argument of a task."""
        invocation.push_event(self.handle)


class Condition:
    """A place to wait until somebody who holds the lock says that things changed: `with condition:` acquires the lock."""

    def __init__(self, lock: Lock | None = None, *, name: str | None = None):
        self.lock = lock or RLock()
        self.handle = call(bound.Condition.create, self.lock.handle, name)

    @classmethod
    def of(cls, handle: bound.Condition, lock: Lock) -> "Condition":
        """The condition that a task was given, and its lock, which it was given too."""
        condition = cls.__new__(cls)
        condition.lock = lock
        condition.handle = handle
        return condition

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for a notification without the lock, and has the lock again afterwards; False if the time is over."""
        woken = call(self.handle.wait, nanoseconds(timeout))
        self.lock.abandoned = woken.acquired is bound.Acquired.ABANDONED
        return woken.notified

    def notify(self, n: int = 1) -> None:
        call(self.handle.notify, n)

    def notify_all(self) -> None:
        call(self.handle.notify_all)

    def __enter__(self) -> "Condition":
        self.lock.acquire()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.lock.release()

    def give(self, invocation: Any) -> None:
        """Makes it the next argument of a task."""
        invocation.push_condition(self.handle)


class Barrier:
    """A place where nobody goes on until all have arrived."""

    def __init__(self, parties: int, *, name: str | None = None):
        self.handle = call(bound.Barrier.create, parties, name)

    @classmethod
    def of(cls, handle: bound.Barrier) -> "Barrier":
        """The barrier that a task was given."""
        barrier = cls.__new__(cls)
        barrier.handle = handle
        return barrier

    def wait(self, timeout: float | None = None) -> int:
        """Arrives and waits for the others; gives this one's number in the order of arrival. Raises Broken, and TimedOut."""
        return call(self.handle.wait, nanoseconds(timeout))

    def reset(self) -> None:
        self.handle.reset()

    def give(self, invocation: Any) -> None:
        """Makes it the next argument of a task."""
        invocation.push_barrier(self.handle)
