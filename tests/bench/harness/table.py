"""The table, for a terminal and for a page."""

import math

from harness.programs import NAMES, OURS


def number(value):
    if value is None or math.isnan(value):
        return "?"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"


def markdown_table(lines):
    """Lines of cells, the heads first, as Markdown that reads well enough on a terminal."""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    padded = ["| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    padded.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return padded


def variant(row, name):
    """What of a figure's name is not in the row's own."""
    own = row.ours.split("/")
    return " ".join(part for part in name.split("/") if part not in own)


def goals(row, figures):
    """Each goal with whether it is reached, as text."""
    if (OURS, row.ours) not in figures:
        return []
    told = []
    for goal in row.goals:
        try:
            reached = goal.reached(
                figures.median(OURS, row.ours),
                lambda who, name: figures.ratio(row.ours, who, name, row.less),
                lambda name: figures.median(OURS, name),
            )
        except (KeyError, ValueError, ZeroDivisionError):
            reached = None
        word = {True: "reached", False: "MISSED", None: "unknown"}[reached]
        if reached is False and goal.word == "aim":
            word = "not yet"
        told.append((f"{goal.word} {goal.text(row)}", word))
    return told


def lines(rows, figures):
    """One line per contestant of each row: title, who, median, low, high, unit, ratio, goal."""
    for row in rows:
        told = goals(row, figures)
        for at, (who, name) in enumerate(row.figures()):
            title = row.title if at == 0 else ""
            label = f"{NAMES.get(who, who)} {variant(row, name)}".rstrip()
            if (who, name) not in figures:
                why = figures.missing.get((who, row.group), "no figure")
                yield title, label, "-", "", "", f"({why.splitlines()[0][:60]})", "", ""
                continue
            low, high = figures.spread(who, name)
            times = float("nan") if at == 0 else figures.ratio(row.ours, who, name, row.less)
            ratio = "" if math.isnan(times) else f"{number(times)} x"
            goal = "; ".join(f"{text}: {word}" for text, word in told) if at == 0 else ""
            yield title, label, number(figures.median(who, name)), number(low), number(high), figures.units[who, name], ratio, goal


HEADS = ("workload", "who", "median", "lowest", "highest", "unit", "ratio", "goal")
RIGHT = {2, 3, 4, 6}


def text(rows, figures):
    table = [HEADS, *lines(rows, figures)]
    widths = [max(len(line[at]) for line in table) for at in range(len(HEADS) - 1)] + [0]

    def cells(line):
        return (cell.rjust(widths[at]) if at in RIGHT else cell.ljust(widths[at]) for at, cell in enumerate(line))

    return "\n".join("  ".join(cells(line)).rstrip() for line in table)


def markdown(rows, figures):
    out = ["| workload | who | median | lowest to highest | unit | Taskcell is better by | goal |", "|---|---|---|---|---|---|---|"]
    for title, who, median, low, high, unit, ratio, goal in lines(rows, figures):
        spread = f"{low} to {high}" if low else ""
        out.append(f"| {title} | {who} | {median} | {spread} | {unit} | {ratio} | {goal} |")
    return "\n".join(out)


def summary(rows, figures):
    """How many goals are reached, and which are not."""
    told = [(row.title, text, word) for row in rows for text, word in goals(row, figures) if not text.startswith("aim")]
    missed = [f"  {title}: {text}: {word}" for title, text, word in told if word != "reached"]
    return "\n".join([f"{len(told) - len(missed)} of {len(told)} goals reached", *missed])
