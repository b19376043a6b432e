"""The host's errors as exceptions, those that Python has a class for among them."""

import queue
from collections.abc import Callable
from typing import Any

from componentize_py_types import Err


class Error(Exception):
    """The host could not do what it was asked for. Nothing has changed, unless a method says otherwise."""


class TimedOut(Error, TimeoutError):
    """The timeout passed."""


class Empty(TimedOut, queue.Empty):
    """The timeout passed, and there was nothing to take."""


class Full(TimedOut, queue.Full):
    """The timeout passed, and there was no room."""


class Closed(Error, EOFError):
    """The object was closed, or the one at its other end is gone, and what it held was taken."""


class Cancelled(Error):
    """This task was asked to stop while it waited."""


class Denied(Error, PermissionError):
    """The handle does not carry the right to do this, or it was given away."""


class Lapsed(Error):
    """The lease of this delivery is over: somebody else may have the message by now."""


class Broken(Error):
    """Another party of the barrier ended, was cancelled or gave up."""


class Quota(Error):
    """A limit of the host was reached; the text names it."""


class Deadlock(Error):
    """All who could end the wait wait themselves; the text names them."""


class Invalid(Error, ValueError):
    """The call makes no sense as it was made; the text says why."""


class NotFound(Error, LookupError):
    """There is no task or module of this name; the text has similar names."""


class Other(Error):
    """What has no class of its own."""


class TaskError(Exception):
    """A task did not return. `kind` is failed, trapped, timed-out, over-limit, cancelled or lost; `value` is what it failed with."""

    def __init__(self, kind: str, value: Any = None):
        super().__init__(kind if value is None else f"{kind}: {value}")
        self.kind = kind
        self.value = value


_CLASSES = {
    "Error_TimedOut": TimedOut,
    "Error_Closed": Closed,
    "Error_Cancelled": Cancelled,
    "Error_Denied": Denied,
    "Error_Lapsed": Lapsed,
    "Error_Broken": Broken,
    "Error_Quota": Quota,
    "Error_Deadlock": Deadlock,
    "Error_Invalid": Invalid,
    "Error_NotFound": NotFound,
    "Error_Other": Other,
}


def call(function: Callable, *parameters: Any, timed_out: type[TimedOut] = TimedOut) -> Any:
    """Calls the host. `timed_out` is what a timeout is called here."""
    try:
        return function(*parameters)
    except Err as error:
        why = error.value
        known = _CLASSES.get(type(why).__name__, Other)
        text = getattr(why, "value", None) or (known.__doc__ or "").rstrip(".")
        raise (timed_out if known is TimedOut else known)(text) from None


def nanoseconds(seconds: float | None) -> int | None:
    """The host's measure of time. Less than nothing is nothing."""
    return None if seconds is None else max(0, round(seconds * 1_000_000_000))
