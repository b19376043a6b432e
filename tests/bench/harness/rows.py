"""The table's rows as data: what is compared with what, and the goals."""

from dataclasses import dataclass

from harness.programs import NAMES, OURS


@dataclass(frozen=True)
class AtMost:
    limit: float
    word: str = "goal"

    def text(self, _row):
        return f"<= {self.limit:g}"

    def reached(self, value, _ratio, _own):
        return value <= self.limit


@dataclass(frozen=True)
class AtLeast:
    limit: float
    word: str = "goal"

    def text(self, _row):
        return f">= {self.limit:,.0f}"

    def reached(self, value, _ratio, _own):
        return value >= self.limit


@dataclass(frozen=True)
class Times:
    """So many times better than a peer in the same round."""

    who: str
    name: str
    factor: float
    word: str = "goal"

    def text(self, row):
        own = row.ours.split("/")
        variant = "".join(f" {part}" for part in self.name.split("/") if part not in own)
        return f">= {self.factor:g} x {NAMES[self.who]}{variant}"

    def reached(self, _value, ratio, _own):
        return ratio(self.who, self.name) >= self.factor


@dataclass(frozen=True)
class OfOwn:
    """At most so many times another figure of our own."""

    name: str
    factor: float
    word: str = "goal"

    def text(self, _row):
        return f"<= {self.factor:g} x own {self.name.rsplit('/', 1)[-1]}"

    def reached(self, value, _ratio, own):
        return value <= self.factor * own(self.name)


@dataclass(frozen=True)
class Row:
    title: str
    group: str
    ours: str
    # Pairs of a contestant and its name of the same work.
    peers: tuple = ()
    goals: tuple = ()
    # Less is better.
    less: bool = False

    def figures(self):
        return [(OURS, self.ours), *self.peers]


def all_with(name, *who):
    return tuple((one, name) for one in who)


PYTHONS = ("mp", "futures", "loky")


def startup():
    peers = (
        ("engine", "startup/open"), ("mp", "startup/fork"), ("mp", "startup/forkserver"), ("mp", "startup/spawn"),
        *all_with("startup", "futures", "loky", "piscina"),
    )  # fmt: skip
    yield Row("pool of 2 to first result", "startup", "startup/open", peers, (AtMost(6), AtMost(3, "aim")), less=True)
    yield Row("the same, and the code out of the cache first", "startup", "startup/warm", peers[1:2], (AtMost(6),), less=True)
    yield Row("the same, and the component compiled first", "startup", "startup/cold", (), less=True)
    yield Row("workers ready, 32 at once", "spawn", "ready", tuple(("mp", f"ready/{how}") for how in ("fork", "forkserver", "spawn")))


def single_tasks():
    for how in ("reuse", "fresh"):
        for share in ("p50", "p99"):
            peers = (("engine", f"task/{how}/{share}"), *all_with(f"task/{share}", *PYTHONS, "piscina"))
            goals = (OfOwn(f"task/{how}/p50", 5),) if share == "p99" else (AtMost(25), AtMost(15, "aim"), Times("mp", "task/p50", 5))
            yield Row(f"one task, number, {how}, {share}", "task", f"task/{how}/{share}", peers, goals, less=True)
    for size, text in ((64, "64 B"), (4096, "4 KiB"), (1 << 20, "1 MiB")):
        for how in ("reuse", "fresh"):
            for share in ("p50", "p99"):
                peers = (("engine", f"bytes/{size}/{how}/{share}"), *all_with(f"bytes/{size}/{share}", *PYTHONS, "piscina"))
                yield Row(f"one task, {text}, {how}, {share}", "bytes", f"bytes/{size}/{how}/{share}", peers, less=True)


def maps():
    auto = (
        ("engine", "map/reuse"), ("mp", "map/auto"), ("futures", "map/chunk-1000"), ("loky", "map/chunk-1000"),
    )  # fmt: skip
    single = (*all_with("map/chunk-1", *PYTHONS, "piscina"), ("piscina", "map/chunk-1/10-at-once"))
    yield Row("map, trivial, reuse, automatic chunks", "map", "map/reuse/auto", auto, (Times("mp", "map/auto", 1),))
    yield Row("map, trivial, reuse, through serde", "map", "map/reuse/typed", auto[1:2])
    yield Row("map, trivial, reuse, chunk 1", "map", "map/reuse/chunk-1", single, (Times("mp", "map/chunk-1", 40),))
    fresh = (("engine", "map/fresh"), ("mp", "map/process-per-task"), ("mp", "map/chunk-1"))
    goals = (AtLeast(200_000), Times("mp", "map/process-per-task", 600), Times("mp", "map/chunk-1", 8))
    yield Row("map, trivial, fresh, automatic chunks", "map", "map/fresh/auto", fresh, goals)
    yield Row("map, trivial, fresh, through serde", "map", "map/fresh/typed", fresh[1:])
    yield Row("map, trivial, fresh, chunk 1", "map", "map/fresh/chunk-1", fresh[1:], goals[1:])
    for side in ("supervisor", "workers"):
        for how in ("auto", "chunk-1"):
            peers = (("mp", f"cpu/{side}/{how}"),)
            for isolation in ("reuse", "fresh"):
                title = f"CPU time of the {side}, {isolation}, {'automatic chunks' if how == 'auto' else 'chunk 1'}"
                yield Row(title, "map", f"cpu/{side}/{isolation}/{how}", peers, less=True)


def work():
    for n in (20, 25):
        for how in ("reuse", "fresh"):
            peers = (("native", f"fib-{n}"), ("engine", f"fib-{n}/{how}"), *all_with(f"fib-{n}", *PYTHONS, "piscina"))
            goals = (Times("mp", f"fib-{n}", 12), Times("engine", f"fib-{n}/{how}", 0.8))
            yield Row(f"map, fib({n}), {how}", "fib", f"fib-{n}/{how}", peers, goals)
    for how in ("reuse", "fresh"):
        peers = (("native", "words"), ("engine", f"words/{how}"), *all_with("words", *PYTHONS))
        yield Row(f"map, word count of 100 MB, {how}", "words", f"words/{how}", peers)


def processes():
    for workers, methods in ((1, ("fork",)), (8, ("fork", "forkserver", "spawn")), (64, ("fork",))):
        others = all_with("memory/8/{}", "futures", "loky") if workers == 8 else ()
        for field, text in (("pss", "proportional"), ("dirty", "private dirty")):
            peers = [("mp", f"memory/{workers}/{method}/{field}") for method in methods]
            peers += [(who, f"memory/8/{field}") for who, _ in others]
            goals = (AtMost(1.5),) if (workers, field) == (8, "pss") else ()
            title = f"memory of an idle worker of {workers}, {text}"
            yield Row(title, "memory", f"memory/{workers}/{field}", tuple(peers), goals, less=True)
    first = (("mp", "command/first"),)
    for how in ("reuse", "fresh"):
        yield Row(f"command, one line, {how}", "command", f"command/first/{how}", first, (AtMost(15),), less=True)
    for how in ("reuse", "fresh"):
        yield Row(f"command, a million lines, {how}", "command", f"command/lines/{how}", (("mp", "command/lines"),))


ROWS = [*startup(), *single_tasks(), *maps(), *work(), *processes()]
