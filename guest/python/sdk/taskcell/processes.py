"""Tasks as processes."""

from collections.abc import Callable, Iterable
from typing import Any

import wit_world.imports.process as bound
from wit_world.imports.types import Outcome, Outcome_Failed, Outcome_Ok, State_Ended, Value, Value_Bytes, Value_Json

from .codec import JSON
from .errors import TaskError, TimedOut, call, nanoseconds


def value_of(argument: Any) -> Value:
    """Bytes go as they are, anything else as JSON by the type of the parameter: a dict for a record, None for an absent option."""
    if isinstance(argument, bytes | bytearray | memoryview):
        return Value_Bytes(bytes(argument))
    return Value_Json(JSON.encode(argument).decode())


def content_of(value: Value) -> Any:
    """What a task gave."""
    if isinstance(value, Value_Json):
        return JSON.decode(value.value)
    return value.value if isinstance(value, Value_Bytes) else None


def result_of(outcome: Outcome) -> Any:
    """What a task returned. Raises TaskError if it did not return."""
    if isinstance(outcome, Outcome_Ok):
        return content_of(outcome.value)
    kind = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in type(outcome).__name__[8:])[1:]
    value = content_of(outcome.value) if isinstance(outcome, Outcome_Failed) else getattr(outcome, "value", None)
    raise TaskError(kind, value)


def state_text(state: Any) -> str:
    """`waiting (queue 1 "jobs": get)`, or the one word that the state is."""
    word = type(state).__name__.removeprefix("State_").lower()
    return f"{word} ({state.value})" if word == "waiting" else word


def task_name(target: str | Callable) -> str:
    """An export's name. A function stands for the export that it is: `count_words` for `count-words`."""
    return target if isinstance(target, str) else target.__name__.replace("_", "-")


def invocation_of(target: str | Callable, args: Iterable[Any]) -> bound.Invocation:
    """A task and its arguments, in the order of its parameters."""
    invocation = bound.Invocation(task_name(target))
    for argument in args:
        if hasattr(argument, "give"):
            argument.give(invocation)
        else:
            invocation.push(value_of(argument))
    return invocation


class Process:
    """A task in a process of its own, as `multiprocessing.Process` is one.

    `target` is an export's name, `module/export` of another component, or the function that is the export. An end of a pipe among the
    arguments is given away; anything else stays with the caller too.
    """

    def __init__(
        self,
        target: str | Callable,
        args: Iterable[Any] = (),
        *,
        name: str | None = None,
        timeout: float | None = None,
        memory: int | None = None,
        daemon: bool = True,
    ):
        """`timeout` and `memory` (bytes) are its limits. A daemon is killed when this task ends."""
        self._target = target
        self._args = tuple(args)
        self._options = bound.Options(name, nanoseconds(timeout), memory, not daemon)
        self._outcome: Outcome | None = None
        self.handle: bound.Process | None = None

    def start(self) -> None:
        """Starts it, once."""
        if self.handle is not None:
            raise RuntimeError("a process can be started once")
        self.handle = call(bound.Process.spawn, invocation_of(self._target, self._args), self._options)

    def join(self, timeout: float | None = None) -> None:
        """Waits until it has ended, or so long; `exitcode` tells."""
        try:
            self._outcome = call(self._started().join, nanoseconds(timeout))
        except TimedOut:
            pass

    def result(self, timeout: float | None = None) -> Any:
        """Waits until it has ended, and gives what it returned. Raises TaskError if it did not, and TimedOut."""
        if self._outcome is None:
            self._outcome = call(self._started().join, nanoseconds(timeout))
        return result_of(self._outcome)

    def is_alive(self) -> bool:
        return self.handle is not None and not isinstance(self.handle.state(), State_Ended)

    @property
    def exitcode(self) -> int | None:
        """None while nobody has seen its end, 0 if it returned, 1 if not."""
        if self._outcome is None and self.handle is not None and not self.is_alive():
            self.join(0)
        return None if self._outcome is None else int(not isinstance(self._outcome, Outcome_Ok))

    @property
    def state(self) -> str:
        """ready, running, waiting (with what for) or ended."""
        return state_text(self._started().state())

    @property
    def pid(self) -> int | None:
        """Waits until it runs. None before `start`, and for one that ended so soon that nobody saw it run."""
        if self.handle is None:
            return None
        while (pid := self.handle.pid()) is None and self._outcome is None:
            self.join(0.001)
        return pid

    @property
    def name(self) -> str:
        return task_name(self._target) if self.handle is None else self.handle.name()

    def terminate(self, grace: float = 0.25) -> None:
        """Asks it to stop; after `grace` it is killed."""
        self._started().terminate(nanoseconds(grace))

    def kill(self) -> None:
        self._started().kill()

    def ready(self) -> Any:
        """For `wait`: it has ended."""
        return self._started().ended()

    def _started(self) -> bound.Process:
        if self.handle is None:
            raise RuntimeError("the process was not started")
        return self.handle
