// The program, and the task that it starts in a process of its own; wit/world.wit describes them.

import { asResult } from './taskcell/errors.js';
import { Process } from './taskcell/process.js';
import { Queue } from './taskcell/queue.js';

/** Takes numbers from `jobs` until it is closed, and puts their squares into `results`. Gives how many there were. */
export function square(jobs, results) {
  return asResult(() => {
    const squares = new Queue(results);
    let done = 0;
    for (const n of new Queue(jobs)) {
      squares.put(n * n);
      done++;
    }
    return done;
  });
}

/** What `main` is elsewhere. */
export const run = {
  run() {
    const [jobs, results] = [Queue.create({ capacity: 2 }), Queue.create()];
    const process = Process.spawn('square', [jobs, results]);
    // Waits while the queue is full.
    for (let n = 1; n <= 5; n++) jobs.put(n);
    jobs.close();
    const done = process.join();
    console.log('squares:', ...results.getMany(done));
    console.log(`jobs done: ${done}`);
  },
};
