// Tasks that work together through queues and a map, and the program that starts them; pipeline.wit describes them.
//
//     taskcell run js-pipeline.wasm

import { asResult } from '../sdk/errors.js';
import { Pool } from '../sdk/pool.js';
import { Process } from '../sdk/process.js';
import { Queue } from '../sdk/queue.js';
import { SharedMap } from '../sdk/shared-map.js';

const JOBS = 100;

export function produce(jobs, count) {
  return asResult(() => {
    const queue = new Queue(jobs);
    // Waits while the queue is full: the consumers set the pace.
    for (let n = 1; n <= count; n++) queue.put(n);
    queue.close();
    return count;
  });
}

export function consume(jobs, results, totals) {
  return asResult(() => {
    const [out, counts] = [new Queue(results), new SharedMap(totals)];
    let count = 0;
    for (const n of new Queue(jobs)) {
      out.put(n * n);
      counts.increment('done');
      count++;
    }
    return count;
  });
}

export function square(n) {
  return BigInt(n) * BigInt(n);
}

/** The program. */
export const run = {
  run() {
    const [jobs, results, totals] = [Queue.create({ capacity: 8, name: 'jobs' }), Queue.create({ name: 'results' }), SharedMap.create()];
    const producer = Process.spawn('produce', [jobs, JOBS]);
    const consumers = Array.from({ length: 3 }, () => Process.spawn('consume', [jobs, results, totals]));
    const consumed = consumers.map((consumer) => consumer.join()).reduce((sum, count) => sum + count);
    console.log(`produced: ${producer.join()}`);
    console.log(`consumed: ${consumed} and ${totals.get('done')}`);
    console.log(`sum of squares: ${results.getMany(JOBS).reduce((sum, square) => sum + square)}`);
    console.log('pool:', ...Pool.create({ workers: 2 }).map('square', [1, 2, 3, 4, 5]));
  },
};
