"""Tries everything in the SDK; check.wit describes the tasks."""

import logging

import taskcell
import wit_world
from componentize_py_types import Err
from taskcell import (
    BYTES,
    Barrier,
    BoundedSemaphore,
    Cancelled,
    Closed,
    Condition,
    Connection,
    Denied,
    Empty,
    Event,
    Full,
    Invalid,
    Lock,
    LogHandler,
    NotFound,
    Pipe,
    Pool,
    Process,
    Queue,
    RLock,
    Semaphore,
    SharedMap,
    TaskError,
    TimedOut,
    wait,
)
from wit_world import exports


class WitWorld(wit_world.WitWorld):
    def double(self, n):
        return 2 * n

    def fail(self, text):
        raise Err(text)

    def crash(self):
        raise RuntimeError("on purpose")

    def wait_for_ever(self, never):
        try:
            Event.of(never).wait()
        except Cancelled:
            return f"cancelled: {taskcell.cancelled()}"
        raise Err("it was set")

    def echo(self, end):
        count = 0
        with Connection.of(end) as end:
            try:
                while True:
                    end.send(end.recv())
                    count += 1
            except EOFError:
                return count

    def count(self, shared, guard, times):
        shared, guard = SharedMap.of(shared), Lock.of(guard)
        for _ in range(times):
            with guard:
                shared["count"] = shared.get("count", 0) + 1

    def die(self, messages, guard):
        Queue.of(messages).receive(60)
        Lock.of(guard).acquire()
        raise RuntimeError("on purpose")

    def meet(self, place):
        return Barrier.of(place).wait(10)

    def wake(self, change, guard, start):
        assert Event.of(start).wait(10)
        with Condition.of(change, Lock.of(guard)) as change:
            change.notify_all()

    def tell(self, permits):
        assert Semaphore.of(permits).acquire(timeout=10)
        task = taskcell.current_task()
        taskcell.progress(1, 2, "halfway")
        return task.name, task.attempt, taskcell.cpu_count()

    def same(self, data):
        return data


def raises(kind, function, *args, **named):
    try:
        function(*args, **named)
    except kind as error:
        return error
    raise AssertionError(f"{function} raised no {kind}")


def started(target, *args, **named):
    process = Process(target, args, **named)
    process.start()
    return process


def queues():
    queue = Queue(2, max_attempts=2, name="few")
    queue.put({"a": [1, None, "ü"]})
    queue.put_nowait(2)
    raises(Full, queue.put_nowait, 3)
    raises(Full, queue.put, 3, timeout=0.01)
    assert queue.qsize() == 2 and not queue.empty()
    assert queue.get() == {"a": [1, None, "ü"]} and queue.get_nowait() == 2
    raises(Empty, queue.get, timeout=0.01)
    queue.put_many([1, 2])
    with queue.receive(60) as delivery:
        assert (delivery.item, delivery.attempt) == (1, 1)
        delivery.extend(30)
    for attempt in (1, 2):
        delivery = queue.receive(60)
        assert (delivery.item, delivery.attempt) == (2, attempt)
        delivery.nack()
    assert queue.rejected(10) == [(2, 2)] and queue.counts().rejected == 0
    raises(taskcell.Lapsed, delivery.ack)
    getter = queue.restrict(get=True)
    raises(Denied, getter.put, 1)
    queue.put_many([1, 2])
    queue.close()
    assert list(queue) == [1, 2]
    raises(Closed, queue.put, 1)
    queue.join(1)
    raw = Queue(codec=BYTES)
    raw.put(b"\x00\xff")
    assert raw.get_many(10) == [b"\x00\xff"]
    raises(Invalid, raw.get_many, 0)


def pipes():
    ours, theirs = Pipe()
    process = started("echo", theirs)
    raises(Denied, theirs.send, 1)
    for item in (1, "zwei", [3.5, None]):
        ours.send(item)
        assert ours.recv(10) == item
    assert not ours.poll()
    ours.close()
    assert process.result(10) == 3 and process.exitcode == 0
    receiver, sender = Pipe(duplex=False, codec=BYTES)
    sender.send(b"x")
    assert receiver.poll(1) and receiver.recv() == b"x"
    sender.close()
    raises(EOFError, receiver.recv)


def maps():
    shared = SharedMap({"a": 1, "b": [2]}, name="shared")
    assert shared["a"] == 1 and shared.get("c") is None and "b" in shared and 1 not in shared and len(shared) == 2
    assert list(shared) == ["a", "b"] and dict(shared) == {"a": 1, "b": [2]} == dict(shared.entries())
    raises(KeyError, lambda: shared["c"])
    raises(KeyError, lambda: shared.pop("c"))
    assert shared.pop("b") == [2] and shared.pop("b", 7) == 7 and shared.setdefault("a", 5) == 1
    assert shared.increment("a") == 2 and shared.increment("n", -5) == -5 and shared["n"] == -5
    value, version = shared.entry("a")
    assert value == 2 and shared.compare_and_swap("a", version, 3) and not shared.compare_and_swap("a", version, 4)
    assert shared.watch("a", version) == (3, shared.entry("a")[1])
    raises(TimedOut, shared.watch, "a", shared.entry("a")[1], timeout=0.01)
    reader = shared.restrict(read=True, prefix="a")
    assert list(reader) == ["a"]
    raises(Denied, reader.set, "a", 1)
    shared.update({f"k{n:04}": n for n in range(1500)})
    assert len(list(shared)) == 1502 and sum(value for _, value in shared.entries("k")) == sum(range(1500))
    del shared["n"]
    shared.clear()
    assert len(shared) == 0


def locks():
    shared, guard = SharedMap(), Lock(name="guard")
    counters = [started("count", shared, guard, 20) for _ in range(3)]
    for counter in counters:
        counter.result(30)
    assert shared["count"] == 60
    with guard:
        assert not guard.acquire(block=False)
    raises(Invalid, guard.release)
    queue = Queue()
    queue.put("again")
    assert raises(TaskError, started("die", queue, guard).result, 30).kind == "trapped"
    assert guard.acquire(timeout=10) and guard.abandoned
    guard.release()
    assert queue.receive(60, timeout=10).attempt == 2
    reentrant = RLock()
    with reentrant, reentrant:
        pass
    permits = BoundedSemaphore(1)
    with permits:
        assert not permits.acquire(timeout=0.01)
    Semaphore(0).release(2)


def meetings():
    place = Barrier(2)
    other = started("meet", place)
    assert {place.wait(10), other.result(10)} == {0, 1}
    change, start = Condition(), Event()
    other = started("wake", change, change.lock, start)
    assert not start.is_set() and not start.wait(0.01)
    with change:
        start.set()
        assert change.wait(10)
        assert not change.wait(0.01)
    other.result(10)
    start.clear()
    raises(taskcell.Deadlock, start.wait)


def processes():
    assert started("double", 21).result(10) == 42
    process = started("same", b"\x00\xff", name="bytes", timeout=10, memory=128 << 20)
    assert process.name == "bytes" and process.result(10) in (b"\x00\xff", "AP8=")
    error = raises(TaskError, started("fail", "why").result, 10)
    assert (error.kind, error.value) == ("failed", "why")
    crashed = started("crash")
    crashed.join()
    assert crashed.exitcode == 1 and raises(TaskError, crashed.result).kind == "trapped"
    raises(NotFound, started, "dubble", 1)
    raises(Invalid, started, "double", "x")
    waiting = started("wait-for-ever", Event())
    raises(TimedOut, waiting.result, 0.05)
    assert waiting.is_alive() and waiting.exitcode is None and isinstance(waiting.pid, int | None)
    waiting.terminate(10)
    assert waiting.result(10) == "cancelled: True"
    killed = started("wait-for-ever", Event())
    killed.kill()
    assert raises(TaskError, killed.result, 10).kind in ("cancelled", "lost")
    name, attempt, cpus = started("tell", Semaphore(1)).result(10)
    assert name == "tell" and attempt == 1 and cpus >= 1


def pools():
    with Pool(2, retries=1, timeout=10, name="pool") as pool:
        assert pool.map("double", range(5)) == [0, 2, 4, 6, 8]
        assert list(pool.imap("double", range(500), window=16)) == [2 * n for n in range(500)]
        assert sorted(pool.imap_unordered("double", range(300))) == [2 * n for n in range(300)]
        assert list(pool.imap("double", [])) == []
        assert pool.apply("double", (4,)) == 8
        result = pool.apply_async("fail", ("why",))
        result.wait(10)
        assert result.done() and raises(TaskError, result.get).value == "why"
        assert raises(TaskError, pool.map, "fail", ["a", "b"]).value == "a"
        running = pool.apply_async("wait-for-ever", (Event(),))
        assert running.cancel()
        running.wait(10)
        raises(Invalid, pool.map, "double", ["x"])
        pool.close()
        raises(Closed, pool.apply, "double", (1,))
        pool.join(10)


def waiting():
    queue, event = Queue(), Event()
    assert wait([queue, event], 0.01) == []
    event.set()
    assert wait([queue, event]) == [event]
    queue.put(1)
    assert wait([queue, event]) == [queue, event]
    process = started("double", 1)
    assert wait([process], 10) == [process]


def logs():
    logger = logging.getLogger("check")
    logger.addHandler(LogHandler())
    logger.warning("a line of the log")
    taskcell.log("another", logging.DEBUG)


class Run(exports.Run):
    def run(self):
        for check in (queues, pipes, maps, locks, meetings, processes, pools, waiting, logs):
            check()
            print("works:", check.__name__)
