"""`multiprocessing.Pool` and `multiprocessing.Process`."""

import multiprocessing
import sys
import time

from tasks import PAYLOADS, WORKERS, Setup, fib, on_cpu, rate, same, tell, tell_median, tell_memory, tell_times, time_each, words

METHODS = ("fork", "spawn", "forkserver")
# Processes that are started at once to see how many get ready in a second.
MANY = 32


def pool(workers=WORKERS, method="fork", **options):
    return multiprocessing.get_context(method).Pool(workers, **options)


def pids(opened):
    # The only way to them; there since Python 2.6.
    return [process.pid for process in opened._pool]


def startup(setup):
    def first_result(method):
        with pool(method=method) as opened:
            opened.apply(same, (1,))

    for method, times in zip(METHODS, (20, 3, 5), strict=True):
        tell_median(f"startup/{method}", time_each(setup.times(times), lambda method=method: first_result(method)))


def say_ready(end):
    end.send_bytes(b"1")
    end.recv_bytes()


def spawn(setup):
    for method in METHODS:
        context = multiprocessing.get_context(method)
        pairs = [context.Pipe() for _ in range(MANY if method != "spawn" else MANY // 4)]
        began = time.perf_counter()
        processes = [context.Process(target=say_ready, args=(theirs,)) for _, theirs in pairs]
        for process in processes:
            process.start()
        for ours, _ in pairs:
            ours.recv_bytes()
        tell(f"ready/{method}", "workers/s", len(processes) / (time.perf_counter() - began))
        for ours, _ in pairs:
            ours.send_bytes(b"1")
        for process in processes:
            process.join()


def task(setup):
    with pool() as opened:
        time_each(setup.times(300), lambda: opened.apply(same, (1,)))
        tell_times("task", time_each(setup.times(3000), lambda: opened.apply(same, (1,))))


def payloads(setup):
    with pool() as opened:
        for size in PAYLOADS:
            payload, times = bytes(size), 200 if size > 100_000 else 2000
            time_each(setup.times(times // 10), lambda payload=payload: opened.apply(same, (payload,)))
            tell_times(f"bytes/{size}", time_each(setup.times(times), lambda payload=payload: opened.apply(same, (payload,))))


def maps(setup):
    with pool() as opened:
        for how, count, chunk in (("auto", setup.times(1_000_000), None), ("chunk-1", setup.times(50_000), 1)):
            inputs = [1] * count
            own, theirs = time.process_time_ns(), on_cpu(pids(opened))
            rate(f"map/{how}", count, lambda inputs=inputs, chunk=chunk: opened.map(same, inputs, chunksize=chunk))
            tell(f"cpu/supervisor/{how}", "ns/task", (time.process_time_ns() - own) / count)
            tell(f"cpu/workers/{how}", "ns/task", (on_cpu(pids(opened)) - theirs) / count)
    count = setup.times(200)
    with pool(maxtasksperchild=1) as opened:
        rate("map/process-per-task", count, lambda: opened.map(same, [1] * count, chunksize=1))


def fibs(setup):
    with pool() as opened:
        for n, times in ((20, 600), (25, 40)):
            times = max(setup.times(times), 8)
            rate(f"fib-{n}", times, lambda n=n, times=times: opened.map(fib, [n] * times, chunksize=1))


def count(setup):
    with pool() as opened:
        words(setup, lambda function, pieces: opened.imap(function, pieces, chunksize=1))


def memory(setup):
    for workers, methods in ((1, ("fork",)), (8, ("fork", "spawn", "forkserver")), (64, ("fork",))):
        for method in methods:
            with pool(workers, method) as opened:
                opened.map(same, [1] * (16 * workers), chunksize=1)
                # Workers that started last may not have run anything; all are there.
                tell_memory(f"memory/{workers}/{method}", pids(opened))


def payload(setup):
    with pool() as opened:
        for size in map(int, setup.rest):
            times = max(setup.times(200_000_000 // (1000 + 4 * size)), 20)
            # Each an object of its own: pickle writes one that comes again only once.
            inputs = [bytes([n % 256]) * size for n in range(times)]
            # As many together as make 256 KiB, which is as much as Taskcell sends at once.
            chunk = max(1, min(1000, 262_144 // size))
            rate(f"payload/{size}", times, lambda inputs=inputs, chunk=chunk: all(opened.imap(same, inputs, chunksize=chunk)))


def by_workers(setup):
    for workers in map(int, setup.rest):
        with pool(workers) as opened:
            opened.map(same, [1] * (16 * workers), chunksize=1)
            many, some = setup.times(500_000), max(setup.times(400), 8)
            rate(f"workers/{workers}/trivial", many, lambda: opened.map(same, [1] * many))
            rate(f"workers/{workers}/fib-20", some, lambda: opened.map(fib, [20] * some, chunksize=4))


GROUPS = {
    "startup": startup, "spawn": spawn, "task": task, "bytes": payloads, "map": maps, "fib": fibs, "words": count,
    "memory": memory, "payload": payload, "workers": by_workers,
}  # fmt: skip

if __name__ == "__main__":
    asked = Setup(sys.argv[1:])
    GROUPS[asked.group](asked)
