"""The programs of a tutorial on `multiprocessing`, over Taskcell; tutorial.wit has their tasks.

    taskcell run python-tutorial.wasm            # all of them
    taskcell run python-tutorial.wasm -- queue   # one

What a tutorial has under `if __name__ == "__main__":` is a function that `Run` calls, and a task is a method of `WitWorld`, named by its
export. A second of these tasks is short, so that nobody waits for long.
"""

import sys
import time
from collections.abc import Callable

import wit_world
from componentize_py_types import Err
from taskcell import AsyncResult, Connection, Error, Pipe, Pool, Process, Queue, SharedMap, cpu_count
from wit_world import exports

SECOND = 0.1


def failing(task: Callable[..., None]) -> Callable[..., None]:
    """Errors of the host are the task's error."""

    def run(*args: object) -> None:
        try:
            return task(*args)
        except Error as error:
            raise Err(str(error)) from error

    return run


class WitWorld(wit_world.WitWorld):
    def compute_fibonacci(self, n: int) -> int:
        return 1 if n <= 2 else self.compute_fibonacci(n - 1) + self.compute_fibonacci(n - 2)

    def process_task(self, item: int) -> str:
        time.sleep(item * SECOND / 2)
        return f"Task {item} completed"

    def execute_task(self, duration: int) -> int:
        time.sleep(duration * SECOND)
        return duration

    @failing
    def data_producer(self, queue) -> None:
        Queue.of(queue).put("Data item")
        time.sleep(SECOND)

    @failing
    def data_consumer(self, queue) -> None:
        time.sleep(2 * SECOND)
        print(f"Received: {Queue.of(queue).get()}")

    @failing
    def modify_data(self, shared_dict, key: str, value: int) -> None:
        SharedMap.of(shared_dict)[key] = value

    @failing
    def send_data(self, pipe) -> None:
        Connection.of(pipe).send("Message from sender")
        time.sleep(SECOND)

    @failing
    def receive_data(self, pipe) -> None:
        time.sleep(2 * SECOND)
        print(f"Received: {Connection.of(pipe).recv()}")

    @failing
    def compute_and_wait(self, tickets) -> int:
        total = 0
        for number in range(1_500_000):
            total += number
        return Queue.of(tickets).get()


class Run(exports.Run):
    def run(self) -> None:
        programs = [process, executor, imap, queue, shared_map, pipe, states]
        wanted = sys.argv[1:]
        for program in programs:
            name = program.__name__.replace("_", "-")
            if name in wanted or not wanted:
                print(f"-- {name}", flush=True)
                program()


def process() -> None:
    worker = Process(target="compute-fibonacci", args=(24,))
    worker.start()
    print(f"Process ID: {worker.pid}")
    worker.join()
    print("Main process completed")


def executor() -> None:
    with Pool(4) as pool:
        for result in pool.map("process-task", [1, 2, 3, 4, 5]):
            print(result)


def imap() -> None:
    # At least two: one alone would end its tasks in the order in which they came.
    pool = Pool(max(2, cpu_count()))
    for result in pool.imap("execute-task", [1, 5, 3]):
        print(f"Completed task after {result} seconds")
    for result in pool.imap_unordered("execute-task", [1, 5, 3]):
        print(f"Task finished in {result} seconds")


def queue() -> None:
    communication_queue = Queue()
    producer = Process(target="data-producer", args=(communication_queue,))
    consumer = Process(target="data-consumer", args=(communication_queue,))
    producer.start()
    consumer.start()
    producer.join()
    consumer.join()


def shared_map() -> None:
    shared_dict = SharedMap()
    processes = [Process(target="modify-data", args=(shared_dict, f"key_{i}", i)) for i in range(5)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    print(f"Shared data: {dict(shared_dict)}")


def pipe() -> None:
    receiver_conn, sender_conn = Pipe()
    sender = Process(target="send-data", args=(sender_conn,))
    receiver = Process(target="receive-data", args=(receiver_conn,))
    sender.start()
    receiver.start()
    sender.join()
    receiver.join()


def states() -> None:
    tickets = Queue(name="tickets")
    with Pool(1) as pool:
        first, second = (pool.apply_async("compute-and-wait", (tickets,)) for _ in range(2))
        show_until_waiting(first, "first")
        print(f"second: {second.state}")
        tickets.put(1)
        show_until_waiting(second, "second")
        print(f"first: {first.state}")
        tickets.put(2)
        results = [first.get(), second.get()]
        print(f"second: {second.state}")
        print("tickets:", *results)


def show_until_waiting(task: AsyncResult, name: str) -> None:
    """Shows each state that the task has from the first time that it runs, until it waits."""
    shown = "ready"
    while not shown.startswith("waiting"):
        state = task.state
        if state == shown:
            time.sleep(0.001)
        else:
            print(f"{name}: {state}")
            shown = state
