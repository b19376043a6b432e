"""`concurrent.futures.ProcessPoolExecutor` and loky's executor, which have one interface: executors.py futures|loky GROUP ..."""

import sys

from tasks import PAYLOADS, WORKERS, Setup, fib, rate, same, tell_median, tell_memory, tell_times, time_each, words


def executor(workers=WORKERS):
    if LOKY:
        from loky import ProcessPoolExecutor
    else:
        from concurrent.futures import ProcessPoolExecutor
    return ProcessPoolExecutor(workers)


def warm(workers=WORKERS):
    """One whose workers are there, as far as it starts them ahead."""
    opened = executor(workers)
    list(opened.map(same, [1] * (16 * workers), chunksize=1))
    return opened


def startup(setup):
    def first_result():
        with executor() as opened:
            opened.submit(same, 1).result()

    tell_median("startup", time_each(setup.times(5 if LOKY else 20), first_result))


def task(setup):
    with warm() as opened:
        tell_times("task", time_each(setup.times(1000), lambda: opened.submit(same, 1).result()))


def payloads(setup):
    with warm() as opened:
        for size in PAYLOADS:
            payload, times = bytes(size), 200 if size > 100_000 else 1000
            one = lambda payload=payload: opened.submit(same, payload).result()
            tell_times(f"bytes/{size}", time_each(setup.times(times), one))


def maps(setup):
    with warm() as opened:
        some, many = setup.times(3000 if LOKY else 10_000), setup.times(200_000)
        rate("map/chunk-1", some, lambda: list(opened.map(same, [1] * some)))
        rate("map/chunk-1000", many, lambda: list(opened.map(same, [1] * many, chunksize=1000)))


def fibs(setup):
    with warm() as opened:
        for n, times in ((20, 600), (25, 40)):
            times = max(setup.times(times), 8)
            rate(f"fib-{n}", times, lambda n=n, times=times: list(opened.map(fib, [n] * times)))


def count(setup):
    with warm() as opened:
        words(setup, lambda function, pieces: opened.map(function, pieces))


def memory(setup):
    with warm(8) as opened:
        # Private in both, and the only way.
        tell_memory("memory/8", list(opened._processes))


GROUPS = {
    "startup": startup, "task": task, "bytes": payloads, "map": maps, "fib": fibs, "words": count, "memory": memory,
}  # fmt: skip
LOKY = len(sys.argv) > 1 and sys.argv[1] == "loky"

if __name__ == "__main__":
    asked = Setup(sys.argv[2:])
    GROUPS[asked.group](asked)
