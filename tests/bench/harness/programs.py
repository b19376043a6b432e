"""The contestants: which program does which groups of workloads."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.places import INPUTS, NODE_MODULES, PEERS, PYTHON, TARGET, environment


@dataclass(frozen=True)
class Program:
    """Started as `argv GROUP FOLDER full|quick [...]`; prints one JSON object a line: name, value, unit."""

    who: str
    groups: frozenset
    argv: tuple

    def run(self, group, quick, rest=(), timeout=900):
        """The figures that it printed, as (name, value, unit). Raises what `subprocess.run` raises."""
        argv = [*self.argv, group, INPUTS, "quick" if quick else "full", *map(str, rest)]
        done = subprocess.run(argv, env=environment(), stdout=subprocess.PIPE, text=True, check=True, timeout=timeout)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line]
        return [(line["name"], line["value"], line["unit"]) for line in lines]


def program(who, groups, *argv):
    return Program(who, frozenset(groups.split()), argv)


def peer(name):
    return PYTHON, PEERS / name


OURS = "taskcell"
# One after the other in each round, in this order, beginning with another one in each.
PROGRAMS = [
    program(OURS, "startup spawn task bytes map fib words memory payload workers", TARGET / "taskcell-bench"),
    program(OURS, "command", *peer("commands.py"), "taskcell", TARGET / "taskcell"),
    program("engine", "startup task bytes map fib words payload", TARGET / "taskcell-bench-floor"),
    program("native", "fib words", TARGET / "taskcell-bench-native"),
    program("mp", "startup spawn task bytes map fib words memory payload workers", *peer("multiprocessing_pool.py")),
    program("mp", "command", *peer("commands.py"), "script"),
    program("futures", "startup task bytes map fib words memory", *peer("executors.py"), "futures"),
    program("loky", "startup task bytes map fib words memory", *peer("executors.py"), "loky"),
    program("piscina", "startup task bytes map fib payload", "node", PEERS / "piscina.mjs", NODE_MODULES),
]

# What the table calls them.
NAMES = {
    OURS: "Taskcell",
    "engine": "engine in one process",
    "native": "native Rust, threads",
    "mp": "multiprocessing",
    "futures": "concurrent.futures",
    "loky": "loky",
    "piscina": "piscina (threads)",
}


def exists(argv):
    return all(Path(part).exists() for part in argv if isinstance(part, Path))
