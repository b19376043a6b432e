"""The primitives: what runs them on our side, and what they are compared with. All of it is data.

Our side are programs for `taskcell run PROGRAM.wasm -- WORKLOAD full|quick`, which print the same lines as every contestant. A new one
is an entry of `GUESTS`; a new workload is one of `WORKLOADS` and a row.
"""

import json
import subprocess
from dataclasses import dataclass

from harness.places import PEERS, PYTHON, TARGET, environment, guest
from harness.programs import OURS, Program
from harness.rows import AtLeast, AtMost, Row, Times

WORKLOADS = ("queue", "pipe", "shared-map", "lock", "process", "pool")
# Contestant, the program's folder in guest/examples, its workloads. The first is the one that the goals are about.
GUESTS = [(OURS, "bench-primitives", WORKLOADS)]
PEERS_HERE = [("mp", "primitives.py", WORKLOADS)]

SIZES = ((64, "64 B"), (4096, "4 KiB"), (1 << 20, "1 MiB"))


@dataclass(frozen=True)
class Guest(Program):
    """A program for `taskcell run`."""

    def run(self, group, quick, rest=(), timeout=900):
        argv = [*self.argv, "--", group, "quick" if quick else "full"]
        done = subprocess.run(argv, env=environment(), stdout=subprocess.PIPE, text=True, check=True, timeout=timeout)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line]
        return [(line["name"], line["value"], line["unit"]) for line in lines]


def programs():
    ours = [Guest(who, frozenset(groups), (TARGET / "taskcell", "run", guest(name))) for who, name, groups in GUESTS]
    return ours + [Program(who, frozenset(groups), (PYTHON, PEERS / script)) for who, script, groups in PEERS_HERE]


def queues():
    for size, text in SIZES:
        one = (("mp", f"queue/{size}/one/SimpleQueue"), ("mp", f"queue/{size}/one/Queue"), ("mp", f"queue/{size}/one/Manager"))
        goals = {
            64: (Times("mp", "queue/64/one/SimpleQueue", 2), Times("mp", "queue/64/one/SimpleQueue", 8, "aim")),
            4096: (),
            1 << 20: (Times("mp", f"queue/{1 << 20}/one/Queue", 4),),
        }[size]
        yield Row(f"queue, {text}, one at a time", "queue", f"queue/{size}/one", one[: 3 if size == 64 else 2], goals)
        many = (("mp", f"queue/{size}/many/SimpleQueue"), ("mp", f"queue/{size}/many/Queue"), ("mp", f"queue/{size}/one/Queue"))
        goals = (AtLeast(1_000_000), Times("mp", "queue/64/one/Queue", 10)) if size == 64 else ()
        yield Row(f"queue, {text}, many at a time", "queue", f"queue/{size}/many", many, goals)
    yield Row("queue, 64 B, under a lease and acknowledged", "queue", "queue/64/leased", (("mp", "queue/64/one/Manager"),))


def pipes():
    for size, text in SIZES:
        for share in ("p50", "p99"):
            name = f"pipe/{size}/round-trip/{share}"
            goals = (Times("mp", name, 2), AtMost(3, "aim")) if (size, share) == (64, "p50") else ()
            yield Row(f"pipe, {text}, round trip, {share}", "pipe", name, (("mp", name),), goals, less=True)
        name = f"pipe/{size}/one-way"
        goals = {64: (Times("mp", name, 8),), 4096: (), 1 << 20: (Times("mp", name, 3),)}[size]
        yield Row(f"pipe, {text}, one way", "pipe", name, (("mp", name),), goals)


def maps():
    for what, text in (("get", "get"), ("set", "set"), ("increment", "increment")):
        for clients in (1, 4):
            name = f"shared-map/{what}/{clients}"
            factor = 5 if what == "increment" else 8
            title = f"map, {text}, one at a time, {clients} client{'s' if clients > 1 else ''}"
            yield Row(title, "shared-map", name, (("mp", name),), (Times("mp", name, factor),))
    for what in ("get", "set"):
        peers = (("mp", f"shared-map/{what}-many/1"), ("mp", f"shared-map/{what}/1"))
        goals = (Times("mp", f"shared-map/{what}/1", 50),)
        yield Row(f"map, {what}, many at a time", "shared-map", f"shared-map/{what}-many/1", peers, goals)


def others():
    for clients in (1, 4):
        name = f"lock/hand-over/{clients}"
        title = f"lock, acquired and released by {clients}"
        goals = (Times("mp", "lock/increment/4", 0.5),) if clients == 4 else ()
        peers = (("mp", name), ("mp", f"lock/increment/{clients}"), ("mp", f"lock/manager/{clients}"))
        yield Row(title, "lock", name, peers, goals)
    for share in ("p50", "p99"):
        peers = tuple(("mp", f"process/spawn-to-result/{method}/{share}") for method in ("fork", "forkserver", "spawn"))
        yield Row(f"process, start to result, {share}", "process", f"process/spawn-to-result/{share}", peers, less=True)
    for share in ("p50", "p99"):
        yield Row(f"pool in a program, one task, {share}", "pool", f"pool/submit/{share}", (("mp", f"pool/submit/{share}"),), less=True)
    yield Row("pool in a program, map", "pool", "pool/map", (("mp", "pool/map"), ("mp", "pool/map/chunk-1")))
    yield Row("pool in a program, imap", "pool", "pool/imap", (("mp", "pool/imap"), ("mp", "pool/imap/chunk-1")))


ROWS = [*queues(), *pipes(), *maps(), *others()]
