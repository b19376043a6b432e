// Tries everything in the SDK; check.wit describes the tasks.

import { BYTES } from '../sdk/codec.js';
import { HostError, TaskError, asResult } from '../sdk/errors.js';
import { pipe, Connection } from '../sdk/pipe.js';
import { Pool } from '../sdk/pool.js';
import { Process } from '../sdk/process.js';
import { Queue } from '../sdk/queue.js';
import { SharedMap } from '../sdk/shared-map.js';
import { Barrier, Condition, Flag, Lock, Semaphore } from '../sdk/sync.js';
import * as task from '../sdk/task.js';
import { waitAny } from '../sdk/waiting.js';

export const double = (n) => 2 * n;

export function fail(text) {
  throw text;
}

export function crash() {
  throw new Error('on purpose');
}

export function waitForEver(never) {
  try {
    new Flag(never).wait();
  } catch (error) {
    if (error.code === 'cancelled') return `cancelled: ${task.cancelled()}`;
    throw error;
  }
  throw 'it was set';
}

export function echo(end) {
  const connection = new Connection(end);
  let count = 0;
  for (;;) {
    try {
      connection.send(connection.recv());
    } catch (error) {
      if (error instanceof HostError && error.code === 'closed') return count;
      throw error;
    }
    count++;
  }
}

export function count(shared, guard, times) {
  const [map, lock] = [new SharedMap(shared), new Lock(guard)];
  for (let time = 0; time < times; time++) lock.with(() => map.set('count', (map.get('count') ?? 0) + 1));
}

export function die(messages, guard) {
  new Queue(messages).receive(60, () => {
    new Lock(guard).acquire();
    throw new Error('on purpose');
  });
}

export const meet = (place) => new Barrier(place).wait({ timeout: 10 });

export function wake(change, guard, start) {
  assert(new Flag(start).wait({ timeout: 10 }));
  new Lock(guard).with(() => new Condition(change).notifyAll());
}

export function tell(permits) {
  assert(new Semaphore(permits).acquire(1, { timeout: 10 }));
  task.progress(1, 2, 'halfway');
  const { name, attempt } = task.self();
  return [name, attempt, task.cpuCount()];
}

export const same = (data) => data;

function assert(condition) {
  if (!condition) throw new Error('this does not hold');
}

/** That values are the same, as JSON says them. */
function equal(found, expected) {
  const [a, b] = [found, expected].map((value) => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part)));
  if (a !== b) throw new Error(`${a} is not ${b}`);
}

function fails(code, work) {
  try {
    work();
  } catch (error) {
    if (error instanceof HostError && error.code === code) return;
    throw error;
  }
  throw new Error(`it did not fail with ${code}`);
}

function taskFails(kind, work) {
  try {
    work();
  } catch (error) {
    if (error instanceof TaskError && error.kind === kind) return error.value;
    throw error;
  }
  throw new Error(`the task did not fail with ${kind}`);
}

const soon = { timeout: 0.01 };
const later = { timeout: 20 };

const checks = {
  queues() {
    const queue = Queue.create({ capacity: 2, maxAttempts: 2, name: 'few' });
    queue.put({ a: [1, null, 'ü'], big: 2n ** 60n });
    queue.put(2, { timeout: 0 });
    fails('timed-out', () => queue.put(3, soon));
    equal(queue.length, 2);
    equal(queue.get(), { a: [1, null, 'ü'], big: 2 ** 60 });
    equal(queue.get(), 2);
    fails('timed-out', () => queue.get(soon));
    queue.putMany([1, 2]);
    equal(queue.receive(60, (item, delivery) => (delivery.extend(30), [item, delivery.attempt])), [1, 1]);
    for (const attempt of [1, 2]) queue.receive(60, (item, delivery) => (equal([item, delivery.attempt], [2, attempt]), delivery.nack()));
    equal(queue.takeRejected(10), [{ item: 2, attempts: 2 }]);
    equal(queue.counts(), { waiting: 0, leased: 0, delayed: 0, rejected: 0, dropped: 0n });
    fails('denied', () => queue.restrict({ get: true }).put(1));
    queue.putMany([1, 2]);
    queue.close();
    equal([...queue], [1, 2]);
    fails('closed', () => queue.put(1));
    queue.join({ timeout: 1 });
    const raw = Queue.create({ codec: BYTES });
    raw.put(new Uint8Array([0, 255]));
    equal(Array.from(raw.getMany(10)[0]), [0, 255]);
    fails('invalid', () => raw.getMany(0));
    // A lease's handle is given back with its delivery: a task may have about a thousand.
    for (let n = 0; n < 1500; n++) {
      raw.put(new Uint8Array([1]));
      raw.receive(60, () => {});
    }
  },

  pipes() {
    const [ours, theirs] = pipe();
    const process = Process.spawn('echo', [theirs]);
    fails('denied', () => theirs.send(1));
    for (const item of [1, 'zwei', [3.5, null]]) {
      ours.send(item);
      equal(ours.recv(later), item);
    }
    assert(!ours.poll());
    ours.close();
    equal(process.join(later), 3);
    const [receiver, sender] = pipe({ duplex: false, codec: BYTES });
    sender.send(new Uint8Array([7]));
    assert(receiver.poll({ timeout: 1 }) && receiver.recv()[0] === 7);
    sender.close();
    fails('closed', () => receiver.recv());
  },

  maps() {
    const map = SharedMap.create({ name: 'shared' });
    map.setMany([['a', 1], ['b', [2]]]); // prettier-ignore
    equal([map.get('a'), map.get('c'), map.has('b'), map.size], [1, undefined, true, 2]);
    equal([...map], [['a', 1], ['b', [2]]]); // prettier-ignore
    equal([...map.keys()], ['a', 'b']);
    equal([map.delete('b'), map.delete('b')], [true, false]);
    equal([map.increment('a'), map.increment('n', -5), map.increment('n', 2n)], [2n, -5n, -3n]);
    const { version } = map.entry('a');
    equal([map.compareAndSwap('a', version, 3), map.compareAndSwap('a', version, 4), map.get('a')], [true, false, 3]);
    equal(map.watch('a', version).value, 3);
    fails('timed-out', () => map.watch('a', map.entry('a').version, soon));
    const reader = map.restrict({ read: true, prefix: 'a' });
    equal([...reader.keys()], ['a']);
    fails('denied', () => reader.set('a', 1));
    map.setMany(Array.from({ length: 1500 }, (_, n) => [`k${n}`, n]));
    equal([[...map.keys()].length, [...map.entries('k')].length], [1502, 1500]);
    map.clear();
    equal(map.size, 0);
  },

  locks() {
    const [map, guard] = [SharedMap.create(), Lock.create({ name: 'guard' })];
    const counters = Array.from({ length: 3 }, () => Process.spawn('count', [map, guard, 20]));
    counters.forEach((counter) => counter.join(later));
    equal(map.get('count'), 60);
    guard.with(() => assert(!guard.acquire({ timeout: 0 })));
    fails('invalid', () => guard.release());
    const queue = Queue.create();
    queue.put('again');
    taskFails('trapped', () => Process.spawn('die', [queue, guard]).join(later));
    assert(guard.acquire(later) && guard.abandoned);
    guard.release();
    equal(queue.receive(60, (_, delivery) => delivery.attempt, later), 2);
    const reentrant = Lock.create({ reentrant: true });
    reentrant.with(() => reentrant.with(() => {}));
    const permits = Semaphore.create(1);
    assert(permits.acquire() && !permits.acquire(1, soon) && permits.available === 0);
    permits.release();
    Semaphore.create(0, { counting: true }).release(2);
  },

  meetings() {
    const place = Barrier.create(2);
    let other = Process.spawn('meet', [place]);
    equal([place.wait(later), other.join(later)].sort(), [0, 1]);
    const guard = Lock.create();
    const [change, start] = [Condition.create(guard), Flag.create()];
    other = Process.spawn('wake', [change, guard, start]);
    assert(!start.isSet && !start.wait(soon));
    guard.with(() => {
      start.set();
      assert(change.wait(later));
      assert(!change.wait(soon));
    });
    other.join(later);
    start.clear();
    fails('deadlock', () => start.wait());
  },

  processes() {
    equal(Process.spawn('double', [21]).join(later), 42);
    const bytes = Process.spawn('same', [new Uint8Array([0, 255])], { name: 'bytes', timeout: 10, memory: 2 ** 27 });
    equal(bytes.name, 'bytes');
    bytes.join(later);
    equal(taskFails('failed', () => Process.spawn('fail', ['why']).join(later)), 'why');
    taskFails('trapped', () => Process.spawn('crash').join(later));
    fails('not-found', () => Process.spawn('dubble', [1]));
    fails('invalid', () => Process.spawn('double', ['x']));
    const waiting = Process.spawn('wait-for-ever', [Flag.create()]);
    // Terminated before it began, it would not hear of it.
    do fails('timed-out', () => waiting.join({ timeout: 0.05 }));
    while (waiting.state !== 'waiting');
    waiting.terminate(10);
    equal(waiting.join(later), 'cancelled: true');
    const [name, attempt, cpus] = Process.spawn('tell', [Semaphore.create(1)]).join(later);
    assert(name === 'tell' && attempt === 1 && cpus >= 1);
  },

  pools() {
    const pool = Pool.create({ workers: 2, retries: 1, timeout: 10, name: 'pool' });
    const numbers = Array.from({ length: 500 }, (_, n) => n);
    const doubled = numbers.map(double);
    equal(pool.map('double', [0, 1, 2]), [0, 2, 4]);
    equal([...pool.imap('double', numbers, { window: 16 })], doubled);
    equal([...pool.imap('double', numbers, { ordered: false })].sort((a, b) => a - b), doubled);
    equal([...pool.imap('double', [])], []);
    equal(pool.submit('double', 4).result(later), 8);
    equal(taskFails('failed', () => pool.submit('fail', 'why').result(later)), 'why');
    equal(taskFails('failed', () => pool.map('fail', ['a', 'b'])), 'a');
    const running = pool.submit('wait-for-ever', Flag.create());
    assert(running.cancel());
    try {
      running.result(later);
    } catch {
      equal(running.state, 'ended');
    }
    fails('invalid', () => pool.map('double', ['x']));
    pool.shutdown();
    fails('closed', () => pool.submit('double', 1));
    pool.drain(later);
  },

  waiting() {
    const [queue, flag] = [Queue.create(), Flag.create()];
    equal(waitAny([queue, flag], soon), []);
    flag.set();
    assert(waitAny([queue, flag])[0] === flag);
    queue.put(1);
    equal(waitAny([queue, flag]).length, 2);
    equal(waitAny([Process.spawn('double', [1])], later).length, 1);
  },

  logs() {
    task.log('a line of the log', 'warn');
  },

  results() {
    let thrown;
    try {
      asResult(() => Process.spawn('dubble'));
    } catch (error) {
      thrown = error;
    }
    assert(typeof thrown === 'string' && thrown.startsWith('not-found: '));
  },
};

export const run = {
  run() {
    for (const [name, check] of Object.entries(checks)) {
      check();
      console.log(`works: ${name}`);
    }
  },
};
