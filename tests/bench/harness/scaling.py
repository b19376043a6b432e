"""How time and memory grow with the number of tasks, of workers, of tasks that wait, of messages and keys: straight lines, or not."""

import statistics

from harness import growing
from harness.others import Watch
from harness.places import say
from harness.programs import OURS, PROGRAMS
from harness.rounds import Figures
from harness.table import markdown_table, number

ISOLATIONS = ("reuse", "fresh")
WORKERS = (1, 2, 4, 8, 16, 32, 64)
# A line is straight if the last piece of it is at most so much steeper than the middle one of those before.
STEEPER = 1.5
# Memory that does not depend on the number of tasks may still differ a bit from run to run.
MORE_MEMORY = 1.25


def run(options):
    """Prints the tables. Gives the figures and the tables as Markdown."""
    decades = range(3, 7 if options.quick else 8)
    tasks = [10**n for n in decades]
    many = 100_000 if options.quick else 1_000_000
    waiting = [10**n for n in range(2, 5 if options.quick else 6)]
    figures, ours = Figures(), next(program for program in PROGRAMS if program.who == OURS)
    for round_number in range(options.rounds):
        for isolation in ISOLATIONS:
            for count in tasks:
                measure(figures, ours, round_number, f"tasks/{isolation}/{count}", "scale-tasks", (count, 2, isolation))
            for workers in WORKERS:
                measure(figures, ours, round_number, f"workers/{isolation}/{workers}", "scale-tasks", (many, workers, isolation))
        for count in waiting:
            measure(figures, ours, round_number, f"waiting/{count}", "scale-waiting", (count,))
        growing.measure(figures, round_number)
    out = []
    for isolation in ISOLATIONS:
        out += table(figures, f"map of N trivial tasks, {isolation}, 2 workers", f"tasks/{isolation}", tasks, by_tasks)
        out += table(figures, f"map of {many:,} trivial tasks, {isolation}, N workers", f"workers/{isolation}", WORKERS, by_workers)
    out += table(figures, "N futures submitted, then waited for, reuse, 2 workers", "waiting", waiting, by_tasks)
    out += growing.tables(figures)
    text = "\n".join(out)
    print(text)
    return figures, text


def measure(figures, program, round_number, prefix, group, rest):
    say(f"round {round_number + 1}: {prefix}")
    watch = Watch()
    found = program.run(group, False, rest)
    figures.others.append(watch.share())
    figures.add(OURS, round_number, [(f"{prefix}/{name}", value, unit) for name, value, unit in found])


def table(figures, title, prefix, counts, judge):
    """Markdown, which reads well enough on a terminal."""

    def column(name):
        return [figures.median(OURS, f"{prefix}/{count}/{name}") for count in counts if (OURS, f"{prefix}/{count}/{name}") in figures]

    columns = {name: column(name) for name in ("ready", "time", "workers", "supervisor")}
    columns = {name: values for name, values in columns.items() if values}
    heads, rows, verdicts = judge(counts, columns)
    lines = [["N", *heads], *([f"{count:,}", *cells] for count, cells in zip(counts, rows, strict=True))]
    return ["", f"**{title}**", "", *markdown_table(lines), "", *verdicts]


def steepness(counts, values):
    """The cost of one more, from each count to the next."""
    pairs = list(zip(counts, values, strict=True))
    return [(v2 - v1) / (n2 - n1) for (n1, v1), (n2, v2) in zip(pairs, pairs[1:], strict=False)]


def by_tasks(counts, columns):
    time, memory = columns["time"], columns["supervisor"]
    further = steepness(counts, time)
    heads = ["seconds", "ns per task", "ns per further task", "MiB, supervisor's peak"]
    rows = [
        [f"{seconds:.4f}", number(seconds / count * 1e9), number(further[at - 1] * 1e9) if at else "", number(memory[at])]
        for at, (count, seconds) in enumerate(zip(counts, time, strict=True))
    ]
    if "workers" in columns:
        heads.append("MiB, all workers")
        rows = [[*row, number(workers)] for row, workers in zip(rows, columns["workers"], strict=True)]
    middle, last = statistics.median(further[:-1]), further[-1]
    straight = "straight" if last <= STEEPER * middle else "NOT STRAIGHT"
    verdicts = [f"- Time: {straight}: a further task costs {number(last * 1e9)} ns at the end, {number(middle * 1e9)} before."]
    if memory[-1] <= MORE_MEMORY * memory[-2]:
        verdicts.append(f"- Memory of the supervisor: bounded; {number(memory[-1])} MiB at the end, {number(memory[-2])} before.")
    else:
        more = steepness(counts, memory)[-1] * 2**20
        verdicts.append(f"- Memory of the supervisor: grows; a further task takes {number(more)} bytes.")
    return heads, rows, verdicts


def by_workers(counts, columns):
    time, ready, memory, workers = (columns[name] for name in ("time", "ready", "supervisor", "workers"))
    heads = ["seconds", "against the best", "ms until ready", "ms per worker", "MiB, all workers", "MiB per worker", "MiB, supervisor's peak"]
    rows = [
        [
            f"{time[at]:.4f}", f"{time[at] / min(time):.2f} x", number(ready[at] * 1e3), number(ready[at] * 1e3 / count),
            number(workers[at]), number(workers[at] / count), number(memory[at]),
        ]  # fmt: skip
        for at, count in enumerate(counts)
    ]
    further = steepness(counts, ready)
    slow = further[-1] > STEEPER * statistics.median(further[:-1])
    verdicts = [
        f"- Time: {number(time[-1] / min(time))} x the best with {counts[-1]} workers, which share the same CPUs.",
        f"- Start: {'NOT STRAIGHT' if slow else 'straight'}: a further worker takes {number(further[-1] * 1e3)} ms at the end.",
        f"- Memory: a further worker takes {number(steepness(counts, workers)[-1])} MiB at the end, and"
        f" {number(steepness(counts, memory)[-1] * 1024)} KiB in the supervisor.",
    ]
    return heads, rows, verdicts
