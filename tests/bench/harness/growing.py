"""What a call of a primitive costs when much is there already: messages that wait in a queue, keys of a map.

The guest fills it and then makes its calls; it waits for a word before both, so that the supervisor's memory can be read in between.
"""

import json
import subprocess
from pathlib import Path

from harness.others import Watch
from harness.places import TARGET, environment, guest, say
from harness.programs import OURS
from harness.table import markdown_table, number

# The guest's workload, the table's title, what there is much of, its calls, and how many there are.
KINDS = (
    ("queue-grows", "a queue in which N messages of 64 bytes wait", "message", ("pair",), (1, 100, 1000, 10_000, 100_000)),
    ("map-grows", "a shared map of N keys with 64 bytes each", "key", ("get", "set"), (100, 1000, 10_000, 100_000, 1_000_000)),
)
HEADS = {"pair": "ns per put and get", "get": "ns per get", "set": "ns per set"}
# Each call may cost so many times what it costs with less: a tree's depth grows, and caches end.
MORE = 1.5


def measure(figures, round_number):
    for workload, _, _, _, counts in KINDS:
        for count in counts:
            say(f"round {round_number + 1}: {workload}/{count}")
            watch = Watch()
            found = run(workload, count)
            figures.others.append(watch.share())
            figures.add(OURS, round_number, [(f"{workload}/{count}/{name}", value, unit) for name, value, unit in found])


def run(workload, count, timeout=600):
    argv = [TARGET / "taskcell", "run", guest("bench-primitives"), "--", workload, "full", str(count)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, env=environment(), text=True, **pipes) as process:
        try:
            memory = []
            for word in ("empty", "full"):
                line = process.stdout.readline()
                if line.strip() != word:
                    raise RuntimeError(f"{workload} {count} said {line!r} instead of {word!r}")
                memory.append(anonymous(process.pid))
                process.stdin.write("go on\n")
                process.stdin.flush()
            out, _ = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, argv)
    lines = [json.loads(line) for line in out.splitlines() if line]
    return [*((line["name"], line["value"], line["unit"]) for line in lines), ("memory", memory[1] - memory[0], "B")]


def anonymous(pid):
    """Memory of the supervisor's own, in bytes."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024


def tables(figures):
    out = []
    for workload, title, thing, calls, counts in KINDS:
        values = {name: [figures.median(OURS, f"{workload}/{count}/{name}") for count in counts] for name in (*calls, "memory")}
        rows = [["N", *(HEADS[call] for call in calls), "MiB, supervisor", f"bytes per {thing}"]]
        for at, count in enumerate(counts):
            memory = values["memory"][at]
            cells = [number(values[call][at]) for call in calls]
            # A page is the least that can be seen.
            each = number(memory / count) if count >= 1000 else ""
            rows.append([f"{count:,}", *cells, number(memory / 2**20), each])
        verdicts = [verdict(HEADS[call], values[call]) for call in calls]
        out += ["", f"**{title}**", "", *markdown_table(rows), "", *verdicts]
    return out


def verdict(what, values):
    """Against the cheapest size, since what comes first is measured while the machine wakes up."""
    ratio = values[-1] / min(values)
    return f"- {what}: {'flat' if ratio <= MORE else 'GROWS'}: {number(ratio)} x the cheapest at the end."
