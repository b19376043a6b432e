"""What Python's pools run, and how a contestant answers."""

import json
import string
import time
from collections import Counter
from pathlib import Path

# As in src/lib.rs: the same for every contestant.
WORKERS = 2
PAYLOADS = (64, 4096, 1 << 20)
PIECE = 64 * 1024


class Setup:
    """What a contestant was asked: PROGRAM GROUP FOLDER full|quick [...]."""

    def __init__(self, args):
        self.group, folder, effort, *self.rest = args
        self.folder = Path(folder)
        self.quick = effort == "quick"

    def times(self, full):
        return max(full // 10, 1) if self.quick else full

    def pieces(self):
        """The text of the word count, in pieces that end between words."""
        text = (self.folder / "text").read_bytes()
        text = text[: len(text) // 10 if self.quick else len(text)]
        pieces, at = [], 0
        while at < len(text):
            end = len(text) if at + PIECE >= len(text) else text.rfind(b"\n", at, at + PIECE) + 1
            pieces.append(text[at:end])
            at = end
        return pieces


def tell(name, unit, value):
    print(json.dumps({"name": name, "value": value, "unit": unit}), flush=True)


def rate(name, count, work):
    """Does the work and tells how many of its parts a second."""
    began = time.perf_counter()
    work()
    tell(name, "tasks/s", count / (time.perf_counter() - began))


def time_each(times, work):
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return sorted(found)


def tell_times(name, found):
    for share, suffix in ((50, "p50"), (99, "p99")):
        tell(f"{name}/{suffix}", "us", found[len(found) * share // 100] * 1e6)


def tell_median(name, found):
    tell(name, "ms", found[len(found) // 2] * 1e3)


def same(value):
    """What fib(1) does, and what the guest that gives bytes back does: next to nothing."""
    return value


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def count_words(piece):
    """What `guest/examples/word-count` does, as one writes it in Python."""
    words = piece.decode().split()
    bare = [word for word in (word.strip(string.punctuation) for word in words) if word]
    frequency = Counter(word.lower() for word in bare)
    return {
        "lines": piece.count(b"\n"),
        "words": len(words),
        "bytes": len(piece),
        "longest": max(bare, key=len, default=""),
        "top": sorted(frequency.items(), key=lambda entry: (-entry[1], entry[0]))[:5],
    }


def words(setup, mapped):
    """Counts words; `mapped(function, pieces)` gives the results."""
    pieces = setup.pieces()
    began = time.perf_counter()
    results = list(mapped(count_words, pieces))
    took = time.perf_counter() - began
    tell("words", "MB/s", sum(map(len, pieces)) / 1e6 / took)
    tell("words", "check", sum(result["words"] for result in results))


def smaps(pid, field):
    """A field of what the kernel tells of a process's memory, in MiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return float("nan")


def tell_memory(name, pids):
    for field, suffix in (("Pss:", "pss"), ("Private_Dirty:", "dirty")):
        tell(f"{name}/{suffix}", "MiB", sum(smaps(pid, field) for pid in pids) / len(pids))


def on_cpu(pids):
    """Nanoseconds that the threads of these processes were on a CPU."""
    texts = (thread.read_text() for pid in pids for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(text.split()[0]) for text in texts)
