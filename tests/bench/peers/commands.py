"""Whole commands, from their start to their end: commands.py taskcell BINARY GROUP ... or commands.py script GROUP ...

A million lines of JSON through `taskcell map`, and through the script that one would write instead.
"""

import subprocess
import sys
import time
from pathlib import Path

from tasks import Setup, tell, tell_median, time_each

SCRIPT = Path(__file__).with_name("script.py")


def command(setup, variants):
    """`variants`: pairs of a name's end and a command that maps the lines of its standard input."""
    numbers = setup.folder / "numbers"
    count = setup.times(1_000_000)
    lines = b"1\n" * count

    def first(argv):
        subprocess.run(argv, input=b"1\n", stdout=subprocess.DEVNULL, check=True)

    for suffix, argv in variants:
        first(argv)
        tell_median(f"command/first{suffix}", time_each(setup.times(20), lambda argv=argv: first(argv)))
        numbers.write_bytes(lines)
        with open(numbers, "rb") as stdin:
            began = time.perf_counter()
            subprocess.run(argv, stdin=stdin, stdout=subprocess.DEVNULL, check=True)
            tell(f"command/lines{suffix}", "tasks/s", count / (time.perf_counter() - began))


if __name__ == "__main__":
    who, *rest = sys.argv[1:]
    if who == "taskcell":
        binary, *rest = rest
        asked = Setup(rest)
        mapped = [binary, "map", str(asked.folder / "numbers.wat"), "fib", "--jobs", "2", "--isolation"]
        command(asked, [(f"/{isolation}", [*mapped, isolation]) for isolation in ("reuse", "fresh")])
    else:
        command(Setup(rest), [("", [sys.executable, str(SCRIPT)])])
