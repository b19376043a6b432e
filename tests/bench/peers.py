"""One round of Python's own pools: the same trivial task, one JSON line per workload."""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool

MANY = 1_000_000
SOME = 100_000
SINGLE = 2_000


def task(n):
    """What fib(1) does: next to nothing, and gives its argument back."""
    return n


def task_of_line(line):
    return json.dumps(task(json.loads(line)))


def tell(workload, unit, value):
    print(json.dumps({"who": "python", "workload": workload, "unit": unit, "value": value}), flush=True)


def rate(workload, count, work):
    began = time.perf_counter()
    work()
    tell(workload, "tasks/s", count / (time.perf_counter() - began))


def main():
    began = time.perf_counter()
    pool = Pool(2)
    pool.apply(task, (1,))
    tell("Pool(2) to first result, fork", "ms", (time.perf_counter() - began) * 1e3)
    with pool:
        times = []
        for _ in range(SINGLE):
            began = time.perf_counter()
            pool.apply(task, (1,))
            times.append(time.perf_counter() - began)
        times.sort()
        tell("Pool.apply, p50", "us", times[SINGLE // 2] * 1e6)
        tell("Pool.apply, p99", "us", times[SINGLE * 99 // 100] * 1e6)
        ones, some = [1] * MANY, [1] * SOME
        rate("Pool.map, default chunks", MANY, lambda: pool.map(task, ones))
        rate("Pool.map, chunk 1", SOME, lambda: pool.map(task, some, chunksize=1))
        with open(sys.argv[1]) as numbers, open("/dev/null", "w") as out:
            rate(
                "script: Pool.map over 1,000,000 lines",
                MANY,
                lambda: out.writelines(line + "\n" for line in pool.map(task_of_line, numbers.read().splitlines())),
            )
    with Pool(2, maxtasksperchild=1) as pool:
        rate("Pool, maxtasksperchild=1", 200, lambda: pool.map(task, [1] * 200, chunksize=1))
    with ProcessPoolExecutor(2) as executor:
        executor.submit(task, 1).result()
        rate("ProcessPoolExecutor.map, chunk 1", 10_000, lambda: list(executor.map(task, [1] * 10_000)))
        began = time.perf_counter()
        for _ in range(500):
            executor.submit(task, 1).result()
        tell("ProcessPoolExecutor submit to result, mean", "us", (time.perf_counter() - began) / 500 * 1e6)


if __name__ == "__main__":
    main()
