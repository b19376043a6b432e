"""Draws lines over two logarithmic axes as SVG."""

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 960, 560
LEFT, RIGHT, TOP, BOTTOM = 84, 210, 76, 62
FONT = "font-family='DejaVu Sans, Helvetica, Arial, sans-serif'"
# Colours that people who see few of them can tell apart, with dashes and marks that need none.
LOOKS = {
    "ours": ("#d55e00", "", "circle"),
    "ours-fresh": ("#e69f00", "7 4", "square"),
    "engine": ("#56708a", "2 3", "diamond"),
    "mp": ("#0072b2", "", "triangle"),
    "piscina": ("#009e73", "", "cross"),
}


@dataclass
class Line:
    label: str
    look: str
    # Of each: where, the median, the lowest, the highest.
    points: list


def quantity(n):
    for unit, text in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if n >= unit and n % unit == 0:
            return f"{n // unit} {text}"
    return str(n)


def rate(value):
    for unit, text in ((1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{text}"
    return f"{value:g}"


def plot(title, note, along, lines, axis):
    """The whole file. `along` is what goes to the right: "payload" or "workers"."""
    lowest = min(low for line in lines for _, _, low, _ in line.points)
    highest = max(high for line in lines for _, _, _, high in line.points)
    steps = [step * 10**power for power in range(-3, 12) for step in (1, 2, 5)]
    bottom = math.log10(max(step for step in steps if step <= lowest))
    top = math.log10(min(step for step in steps if step >= highest))
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(at):
        return LEFT + (math.log(at) - math.log(axis[0])) / (math.log(axis[-1]) - math.log(axis[0])) * (right - LEFT)

    def y(value):
        return floor - (math.log10(value) - bottom) / (top - bottom) * (floor - TOP)

    out = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}' {FONT}>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='#ffffff'/>",
        text(LEFT, 32, title, size=18, weight="bold"),
        text(LEFT, 54, note, size=12, colour="#555555"),
    ]
    for power in range(math.floor(bottom), math.ceil(top) + 1):
        for step in range(1, 10):
            value = step * 10**power
            if not bottom - 1e-9 <= math.log10(value) <= top + 1e-9:
                continue
            out.append(rule(LEFT, y(value), right, y(value), "#d5d5d5" if step == 1 else "#f2f2f2"))
            if step in (1, 2, 5) and (step == 1 or top - bottom < 3):
                out.append(text(LEFT - 10, y(value) + 4, rate(value), anchor="end"))
    for at in axis:
        label = (quantity(at) if at >= 1024 else f"{at} B") if along == "payload" else str(at)
        out.append(rule(x(at), floor, x(at), floor + 5, "#888888"))
        out.append(text(x(at), floor + 20, label, anchor="middle"))
    out.append(rule(LEFT, floor, right, floor, "#888888"))
    out.append(text((LEFT + right) / 2, HEIGHT - 14, "payload" if along == "payload" else "worker processes", anchor="middle"))
    side = (floor + TOP) / 2
    out.append(f"<g transform='translate(20 {side}) rotate(-90)'>{text(0, 0, 'tasks a second', anchor='middle')}</g>")
    for line in lines:
        out += drawn(line, x, y)
    out += labels(lines, x, y, floor)
    return "\n".join([*out, "</svg>", ""])


def drawn(line, x, y):
    colour, dash, shape = LOOKS[line.look]
    path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value, _, _ in line.points)
    dashes = f" stroke-dasharray='{dash}'" if dash else ""
    yield f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2.2' stroke-linejoin='round'{dashes}/>"
    for at, value, low, high in line.points:
        if high > low:
            yield rule(x(at), y(low), x(at), y(high), colour, width=1.2)
        yield mark(x(at), y(value), shape, colour)


def labels(lines, x, y, floor):
    """Each line's name at its right end, pushed apart where they would meet."""
    ends = sorted((y(line.points[-1][1]), x(line.points[-1][0]), line) for line in lines)
    places = []
    for at, _, _ in ends:
        places.append(max(at, places[-1] + 18) if places else at)
    # What was pushed out at the bottom pushes back.
    for n in range(len(places) - 1, -1, -1):
        places[n] = min(places[n], (places[n + 1] - 18) if n + 1 < len(places) else floor)
    for place, (end, across, line) in zip(places, ends, strict=True):
        colour = LOOKS[line.look][0]
        yield f"<polyline points='{across + 7:.1f},{end:.1f} {across + 20:.1f},{place:.1f}' fill='none' stroke='{colour}' stroke-width='1'/>"
        yield text(across + 24, place + 4, line.label, size=13, colour=colour, weight="bold")


def text(x, y, content, size=12, colour="#222222", anchor="start", weight="normal"):
    where = f"x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{colour}' text-anchor='{anchor}' font-weight='{weight}'"
    return f"<text {where}>{escape(content)}</text>"


def rule(x1, y1, x2, y2, colour, width=1):
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' stroke-width='{width}'/>"


def mark(x, y, shape, colour):
    style = f"fill='{colour}' stroke='#ffffff' stroke-width='1'"
    if shape == "circle":
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4.5' {style}/>"
    if shape == "cross":
        return f"<path d='M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8' stroke='{colour}' stroke-width='2.4' fill='none'/>"
    corners = {
        "square": [(-4, -4), (4, -4), (4, 4), (-4, 4)],
        "diamond": [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)],
        "triangle": [(0, -5.5), (5, 4), (-5, 4)],
    }[shape]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f"<polygon points='{points}' {style}/>"
