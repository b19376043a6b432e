// The programs of a tutorial on processes; tutorial.wit has their tasks.
//
//     taskcell run js-tutorial.wasm
//
// A second of these tasks is short, so that nobody waits for long.

import { asResult } from '../sdk/errors.js';
import { Connection, pipe } from '../sdk/pipe.js';
import { Pool } from '../sdk/pool.js';
import { Process } from '../sdk/process.js';
import { Queue } from '../sdk/queue.js';
import { SharedMap } from '../sdk/shared-map.js';
import { Flag } from '../sdk/sync.js';
import { cpuCount } from '../sdk/task.js';

const SECOND = 0.1;

/** Nobody sets this flag: a plain function waits where it is, and timers would need it to return first. */
function sleep(seconds) {
  Flag.create().wait({ timeout: seconds });
}

export function computeFibonacci(n) {
  return BigInt(fibonacci(n));
}

function fibonacci(n) {
  return n <= 2 ? 1 : fibonacci(n - 1) + fibonacci(n - 2);
}

export function processTask(item) {
  sleep((item * SECOND) / 2);
  return `Task ${item} completed`;
}

export function executeTask(duration) {
  sleep(duration * SECOND);
  return duration;
}

export function dataProducer(queue) {
  return asResult(() => {
    new Queue(queue).put('Data item');
    sleep(SECOND);
  });
}

export function dataConsumer(queue) {
  return asResult(() => {
    sleep(2 * SECOND);
    console.log(`Received: ${new Queue(queue).get()}`);
  });
}

export function modifyData(sharedDict, key, value) {
  return asResult(() => {
    new SharedMap(sharedDict).set(key, value);
  });
}

export function sendData(end) {
  return asResult(() => {
    new Connection(end).send('Message from sender');
    sleep(SECOND);
  });
}

export function receiveData(end) {
  return asResult(() => {
    sleep(2 * SECOND);
    console.log(`Received: ${new Connection(end).recv()}`);
  });
}

export function computeAndWait(tickets) {
  return asResult(() => {
    let total = 0;
    for (let number = 0; number < 5_000_000; number++) total = (total + number) % 1_000_003;
    return new Queue(tickets).get();
  });
}

const programs = {
  process() {
    const worker = Process.spawn('compute-fibonacci', [24]);
    console.log(`Process ID: ${worker.started()}`);
    worker.join();
    console.log('Main process completed');
  },

  executor() {
    for (const result of Pool.create({ workers: 4 }).map('process-task', [1, 2, 3, 4, 5])) console.log(result);
  },

  imap() {
    // At least two: one alone would end its tasks in the order in which they came.
    const pool = Pool.create({ workers: Math.max(2, cpuCount()) });
    for (const result of pool.imap('execute-task', [1, 5, 3])) console.log(`Completed task after ${result} seconds`);
    for (const result of pool.imap('execute-task', [1, 5, 3], { ordered: false })) console.log(`Task finished in ${result} seconds`);
  },

  queue() {
    const queue = Queue.create();
    const processes = ['data-producer', 'data-consumer'].map((task) => Process.spawn(task, [queue]));
    for (const process of processes) process.join();
  },

  'shared-map'() {
    const sharedDict = SharedMap.create();
    const processes = [0, 1, 2, 3, 4].map((i) => Process.spawn('modify-data', [sharedDict, `key_${i}`, i]));
    for (const process of processes) process.join();
    const items = Array.from(sharedDict, ([key, value]) => `'${key}': ${value}`);
    console.log(`Shared data: {${items.join(', ')}}`);
  },

  pipe() {
    const [receiverEnd, senderEnd] = pipe();
    const sender = Process.spawn('send-data', [senderEnd]);
    const receiver = Process.spawn('receive-data', [receiverEnd]);
    sender.join();
    receiver.join();
  },

  states() {
    const tickets = Queue.create({ name: 'tickets' });
    const pool = Pool.create({ workers: 1 });
    const [first, second] = [0, 1].map(() => pool.submit('compute-and-wait', tickets));
    showUntilWaiting(first, 'first');
    console.log(`second: ${second.shownState}`);
    tickets.put(1);
    showUntilWaiting(second, 'second');
    console.log(`first: ${first.shownState}`);
    tickets.put(2);
    const results = [first.result(), second.result()];
    console.log(`second: ${second.shownState}`);
    console.log('tickets:', ...results);
  },
};

/** Shows each state that the task has from the first time that it runs, until it waits. */
function showUntilWaiting(task, name) {
  for (let shown = 'ready'; !shown.startsWith('waiting'); ) {
    const state = task.shownState;
    if (state === shown) {
      sleep(0.001);
    } else {
      console.log(`${name}: ${state}`);
      shown = state;
    }
  }
}

/** The program. */
export const run = {
  run() {
    for (const [name, program] of Object.entries(programs)) {
      console.log(`-- ${name}`);
      program();
    }
  },
};
