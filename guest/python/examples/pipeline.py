"""Tasks that work together through queues and a map, and the program that starts them; pipeline.wit describes them.

    taskcell run python-pipeline.wasm
    taskcell run --module c=c-pipeline.wasm python-pipeline.wasm -- consume c/consume

    taskcell run --module r=pipeline.wasm --module js=js-pipeline.wasm python-pipeline.wasm -- 'r/consume>js/consume'

The arguments are the tasks that consume: of this component, or of another one in any language. Tasks with `>` between them stand one behind the
other: what one gives is the next one's job.
"""

import sys

import wit_world
from componentize_py_types import Err
from taskcell import Error, Pool, Process, Queue, SharedMap
from wit_world import exports

JOBS = 100


class WitWorld(wit_world.WitWorld):
    def produce(self, jobs, count: int) -> int:
        jobs = Queue.of(jobs)
        try:
            for n in range(1, count + 1):
                # Waits while the queue is full: the consumers set the pace.
                jobs.put(n)
            jobs.close()
        except Error as error:
            raise Err(str(error)) from error
        return count

    def consume(self, jobs, results, totals) -> int:
        results, totals = Queue.of(results), SharedMap.of(totals)
        count = 0
        try:
            for n in Queue.of(jobs):
                results.put(n * n)
                totals.increment("done")
                count += 1
        except Error as error:
            raise Err(str(error)) from error
        return count

    def square(self, n: int) -> int:
        return n * n


class Run(exports.Run):
    def run(self) -> None:
        """What stands under `if __name__ == "__main__":` elsewhere."""
        if len(sys.argv) == 2 and ">" in sys.argv[1]:
            return stages(sys.argv[1].split(">"))
        jobs, results, totals = Queue(8, name="jobs"), Queue(name="results"), SharedMap()
        producer = Process("produce", (jobs, JOBS))
        consumers = [Process(task, (jobs, results, totals)) for task in sys.argv[1:] or ["consume"] * 3]
        for process in [producer, *consumers]:
            process.start()
        counts = [consumer.result() for consumer in consumers]
        print("produced:", producer.result())
        print("consumed:", sum(counts), "and", totals["done"])
        print("sum of squares:", sum(results.get_many(JOBS)))
        with Pool(2) as pool:
            print("pool:", *pool.map("square", range(1, 6)))


def stages(tasks: list[str]) -> None:
    """Each task works on what the one before it gives."""
    queues = [Queue(8, name="jobs"), *(Queue(8, name=task) for task in tasks)]
    totals = SharedMap()
    producer = Process("produce", (queues[0], JOBS))
    consumers = [Process(task, (*queues[at : at + 2], totals)) for at, task in enumerate(tasks)]
    for process in [producer, *consumers]:
        process.start()
    # The last queue holds few, and nobody else takes from it.
    results = [queues[-1].get() for _ in range(JOBS)]
    for queue, consumer in zip(queues[1:], consumers):
        print(f"{consumer.name}: {consumer.result()}")
        queue.close()
    print("sum:", sum(results), "done:", totals["done"])
