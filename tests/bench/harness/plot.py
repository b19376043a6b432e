"""Throughput against one quantity: runs the sweeps, and has them drawn."""

from harness import others, rounds, svg
from harness.programs import NAMES, OURS, PROGRAMS

SIZES = (16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)
WORKERS = (1, 2, 4, 8, 16, 32, 64)

# Lines of a plot: contestant, name of its figure ({} is the quantity), label. The same contestant has the same look everywhere.
PAYLOAD = [
    ("engine", "payload/{}/reuse", "engine in one process", "engine"),
    (OURS, "payload/{}/reuse", "Taskcell, reuse", "ours"),
    (OURS, "payload/{}/fresh", "Taskcell, fresh", "ours-fresh"),
    ("mp", "payload/{}", "multiprocessing imap", "mp"),
    ("piscina", "payload/{}", "piscina", "piscina"),
]


def workers(work):
    return [
        (OURS, f"workers/{{}}/{work}/reuse", "Taskcell, reuse", "ours"),
        (OURS, f"workers/{{}}/{work}/fresh", "Taskcell, fresh", "ours-fresh"),
        ("mp", f"workers/{{}}/{work}", "multiprocessing map", "mp"),
    ]


# File, group, title, what goes along, lines, axis.
PLOTS = [
    ("throughput-by-payload", "payload", "Tasks a second by payload: bytes in, the same bytes out, 2 workers", "payload", PAYLOAD, SIZES),
    ("throughput-by-workers", "workers", "Tasks a second by workers: a task that does nothing", "workers", workers("trivial"), WORKERS),
    ("work-by-workers", "workers", "Tasks a second by workers: fib(20)", "workers", workers("fib-20"), WORKERS),
]


def run(options, absent):
    """Runs both sweeps and writes the plots into a folder. Gives the figures, and the plots' points as Markdown."""
    figures = rounds.run(
        PROGRAMS, ["payload", "workers"], options.rounds, options.quick, absent, {"payload": SIZES, "workers": WORKERS}
    )
    options.plot.mkdir(parents=True, exist_ok=True)
    pages = []
    for file, _group, title, quantity, lines, axis in PLOTS:
        drawn = []
        for who, name, label, look in lines:
            points = [
                (at, figures.median(who, name.format(at)), *figures.spread(who, name.format(at)))
                for at in axis
                if (who, name.format(at)) in figures
            ]
            if points:
                drawn.append(svg.Line(label, look, points))
        if not drawn:
            continue
        path = options.plot / f"{file}.svg"
        count = f"median of {options.rounds} rounds, bars from the lowest to the highest" if options.rounds > 1 else "one round"
        note = f"{count}; both axes logarithmic; {others.share(figures.others)}"
        path.write_text(svg.plot(title, note, quantity, drawn, axis))
        print(path)
        pages.append(points_page(title, axis, drawn))
    missing = {who: why for (who, _), why in figures.missing.items()}
    for who, why in missing.items():
        print(f"without {NAMES.get(who, who)}: {why}")
    return figures, "\n\n".join(pages)


def points_page(title, axis, lines):
    out = [f"**{title}**", "", "| | " + " | ".join(line.label for line in lines) + " |", "|---:" * (len(lines) + 1) + "|"]
    for at in axis:
        cells = [next((f"{y:,.0f}" for x, y, _, _ in line.points if x == at), "") for line in lines]
        out.append(f"| {svg.quantity(at)} | " + " | ".join(cells) + " |")
    return "\n".join(out)
