"""What Python's processes share: `multiprocessing`'s queues, pipes, managed dictionaries, locks, processes, and pools inside of a process.

Each workload is what `guest/examples/bench-primitives` does with Taskcell's, between as many processes.
"""

import multiprocessing
import sys
import time

from tasks import PAYLOADS, Setup, same, tell, tell_times, time_each

CONTEXT = multiprocessing.get_context("fork")
# Messages in one list, for those who send many at a time.
BATCH = 64


def per_second(name, count, took, unit="items/s"):
    tell(name, unit, count / took)


def count_for(setup, size):
    return setup.times({64: 100_000, 4096: 40_000}.get(size, 300))


def together(targets):
    """Starts processes, lets them begin at one moment, and gives the time from then until all have ended."""
    barrier = CONTEXT.Barrier(len(targets) + 1)

    def begin(target, args):
        barrier.wait()
        target(*args)

    processes = [CONTEXT.Process(target=begin, args=(target, args)) for target, *args in targets]
    for process in processes:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
        if process.exitcode:
            sys.exit(f"a process exited with {process.exitcode}")
    return time.perf_counter() - began


def produce(queue, message, count):
    for _ in range(count):
        queue.put(message)


def consume(queue, count):
    for _ in range(count):
        queue.get()


def queue(setup):
    for size in PAYLOADS:
        count, message = count_for(setup, size), bytes(size)
        for kind in ("SimpleQueue", "Queue"):
            shared = getattr(CONTEXT, kind)()
            took = together([(produce, shared, message, count), (consume, shared, count)])
            per_second(f"queue/{size}/one/{kind}", count, took)
            # Each an object of its own: pickle writes one that comes again only once.
            batch = [bytes([n % 256]) * size for n in range(min(BATCH, max(count // 10, 1)))]
            shared = getattr(CONTEXT, kind)()
            rounds = max(count // len(batch), 1)
            took = together([(produce, shared, batch, rounds), (consume, shared, rounds)])
            per_second(f"queue/{size}/many/{kind}", rounds * len(batch), took)
    with CONTEXT.Manager() as manager:
        shared, count = manager.Queue(), setup.times(10_000)
        took = together([(produce, shared, bytes(64), count), (consume, shared, count)])
        per_second("queue/64/one/Manager", count, took)


def echo(end):
    while message := end.recv_bytes():
        end.send_bytes(message)


def swallow(end, count):
    for _ in range(count):
        end.recv_bytes()


def emit(end, message, count):
    for _ in range(count):
        end.send_bytes(message)


def pipe(setup):
    for size in PAYLOADS:
        message = bytes([7]) * size
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=echo, args=(theirs,))
        process.start()

        def there_and_back(ours=ours, message=message):
            ours.send_bytes(message)
            ours.recv_bytes()

        times = setup.times(300 if size > 100_000 else 10_000)
        time_each(max(times // 10, 1), there_and_back)
        tell_times(f"pipe/{size}/round-trip", time_each(times, there_and_back))
        ours.send_bytes(b"")
        process.join()
        receiving, sending = CONTEXT.Pipe(duplex=False)
        count = count_for(setup, size)
        took = together([(emit, sending, message, count), (swallow, receiving, count)])
        per_second(f"pipe/{size}/one-way", count, took)


def get(shared, keys, count):
    for n in range(count):
        shared.get(keys[n % len(keys)])


def put(shared, keys, count):
    value = bytes(64)
    for n in range(count):
        shared[keys[n % len(keys)]] = value


def increment(shared, lock, count):
    for _ in range(count):
        with lock:
            shared["n"] += 1


def shared_map(setup):
    keys = [f"key-{n:012}" for n in range(1000)]
    with CONTEXT.Manager() as manager:
        shared, lock = manager.dict(dict.fromkeys(keys, bytes(64))), manager.Lock()
        for clients in (1, 4):
            count = setup.times(20_000) // clients
            for name, work in (("get", get), ("set", put)):
                took = together([(work, shared, keys, count)] * clients)
                per_second(f"shared-map/{name}/{clients}", count * clients, took, "calls/s")
            shared["n"], count = 0, setup.times(4000) // clients
            took = together([(increment, shared, lock, count)] * clients)
            per_second(f"shared-map/increment/{clients}", count * clients, took, "calls/s")
            if shared["n"] != count * clients:
                sys.exit("increments were lost")
        many, rounds = dict.fromkeys(keys, bytes(64)), setup.times(1000)
        took = together([(lambda: [shared.update(many) for _ in range(rounds)],)])
        per_second("shared-map/set-many/1", rounds * len(many), took, "keys/s")
        took = together([(lambda: [shared.copy() for _ in range(rounds)],)])
        per_second("shared-map/get-many/1", rounds * len(many), took, "keys/s")


def hold(lock, count):
    for _ in range(count):
        with lock:
            pass


def count_up(value, count):
    for _ in range(count):
        with value.get_lock():
            value.value += 1


def lock(setup):
    for clients in (1, 4):
        count = setup.times(200_000) // clients
        took = together([(hold, CONTEXT.Lock(), count)] * clients)
        per_second(f"lock/hand-over/{clients}", count * clients, took, "calls/s")
        took = together([(count_up, CONTEXT.Value("q", 0), count)] * clients)
        per_second(f"lock/increment/{clients}", count * clients, took, "calls/s")
        with CONTEXT.Manager() as manager:
            some = setup.times(4000) // clients
            took = together([(hold, manager.Lock(), some)] * clients)
            per_second(f"lock/manager/{clients}", some * clients, took, "calls/s")


def answer(end, value):
    end.send(same(value))


def process(setup):
    for method, times in (("fork", 100), ("forkserver", 20), ("spawn", 10)):
        context = multiprocessing.get_context(method)

        def start_to_result(context=context):
            ours, theirs = context.Pipe(duplex=False)
            started = context.Process(target=answer, args=(theirs, 1))
            started.start()
            ours.recv()
            started.join()

        start_to_result()
        tell_times(f"process/spawn-to-result/{method}", time_each(max(setup.times(times), 3), start_to_result))


def with_a_pool(setup):
    with CONTEXT.Pool(2) as pool:
        time_each(setup.times(200), lambda: pool.apply(same, (1,)))
        tell_times("pool/submit", time_each(setup.times(2000), lambda: pool.apply(same, (1,))))
        for name, work in (("map", pool.map), ("imap", lambda *args, **more: list(pool.imap(*args, **more)))):
            many, some = setup.times(16_384 * 10), setup.times(20_000)
            began = time.perf_counter()
            work(same, [1] * many, chunksize=1024)
            per_second(f"pool/{name}", many, time.perf_counter() - began, "tasks/s")
            began = time.perf_counter()
            work(same, [1] * some, chunksize=1)
            per_second(f"pool/{name}/chunk-1", some, time.perf_counter() - began, "tasks/s")


def pool(setup):
    """From inside of a process, as a program's is."""
    program = CONTEXT.Process(target=with_a_pool, args=(setup,))
    program.start()
    program.join()
    sys.exit(program.exitcode)


GROUPS = {"queue": queue, "pipe": pipe, "shared-map": shared_map, "lock": lock, "process": process, "pool": pool}

if __name__ == "__main__":
    asked = Setup(sys.argv[1:])
    GROUPS[asked.group](asked)
