"""What tasks share and start, as `multiprocessing` has it, over Taskcell's host.

    from taskcell import Lock, Pool, Process, Queue

A name is here if the guest's world imports the interface behind it, such as `taskcell:host/queue` for `Queue`.

What is different from `multiprocessing`: a task is named by the name of its export, and arguments, results and messages are JSON and not
pickles, so that the other side may be written in any language. Objects that a task is given come as plain handles: `Queue.of(handle)`.
Where something waits, `timeout` is in seconds, and None waits for ever.
"""

from importlib import import_module

from .codec import BYTES, JSON
from .errors import (
    Broken,
    Cancelled,
    Closed,
    Deadlock,
    Denied,
    Empty,
    Error,
    Full,
    Invalid,
    Lapsed,
    NotFound,
    Other,
    Quota,
    TaskError,
    TimedOut,
)

# Where each name is, and the interface that it needs.
_NAMES = {
    "queue": ("queues", ("Queue", "Delivery")),
    "pipe": ("pipes", ("Connection", "Pipe")),
    "shared-map": ("maps", ("SharedMap",)),
    "sync": ("sync", ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Event", "Condition", "Barrier")),
    "process": ("processes", ("Process",)),
    "pool": ("pools", ("Pool", "AsyncResult")),
    "task": ("task", ("current_task", "cancelled", "progress", "log", "cpu_count", "LogHandler")),
    "waiting": ("waiting", ("wait",)),
}
_MISSING = {}

for _interface, (_module, _names) in _NAMES.items():
    try:
        _found = import_module(f".{_module}", __name__)
    except ModuleNotFoundError as _error:
        # Only bindings may be missing: those of interfaces that the world does not import.
        if not (_error.name or "").startswith("wit_world"):
            raise
        _MISSING.update(dict.fromkeys(_names, _interface))
    else:
        globals().update((_name, getattr(_found, _name)) for _name in _names)


def __getattr__(name: str):
    if name in _MISSING:
        raise ImportError(f"taskcell.{name} needs a world that imports taskcell:host/{_MISSING[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
