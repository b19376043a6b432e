"""Waiting for the first of several things."""

from collections.abc import Sequence
from typing import Any

import wit_world.imports.waiting as bound

from .errors import TimedOut, call, nanoseconds


def wait(things: Sequence[Any], timeout: float | None = None) -> list[Any]:
    """Those of these queues, connections, events, processes and results that are ready, at least one; none if the time is over.

    It takes nothing: follow it with a call that does not wait, as somebody else may be faster.
    """
    try:
        places = call(bound.wait_any, [thing.ready() for thing in things], nanoseconds(timeout))
    except TimedOut:
        return []
    return [things[place] for place in places]
