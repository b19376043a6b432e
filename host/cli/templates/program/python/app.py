"""The program, and the task that it starts in a process of its own; wit/world.wit describes them.

`componentize-py -d wit -w program bindings .` writes the modules imported here, for editors.
"""

import wit_world
from componentize_py_types import Err
from taskcell import Error, Process, Queue
from wit_world import exports


class WitWorld(wit_world.WitWorld):
    """The tasks, in snake_case; the name of the class is fixed."""

    def square(self, jobs, results) -> int:
        """Takes numbers from `jobs` until it is closed, and puts their squares into `results`. Gives how many there were."""
        results = Queue.of(results)
        done = 0
        try:
            for n in Queue.of(jobs):
                results.put(n * n)
                done += 1
        except Error as error:
            raise Err(str(error)) from error
        return done


class Run(exports.Run):
    def run(self) -> None:
        """What stands under `if __name__ == "__main__":` elsewhere."""
        jobs, results = Queue(2), Queue()
        process = Process("square", (jobs, results))
        process.start()
        for n in range(1, 6):
            # Waits while the queue is full.
            jobs.put(n)
        jobs.close()
        done = process.result()
        print("squares:", *results.get_many(done))
        print("jobs done:", done)
