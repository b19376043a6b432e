// Many tasks over a fixed number of worker processes.

import { Pool as Bound } from 'taskcell:host/pool@0.1.0';

import { call, drop, inTime, nanoseconds } from './errors.js';
import { invocationOf, resultOf, valueOf } from './process.js';

/** The death of a worker costs the task that it was running and no other. */
export class Pool {
  constructor(handle) {
    this.handle = handle;
  }

  /**
   * Makes a pool. `reuse`: tasks of a worker share an instance. `timeout` (seconds), `memory` (bytes): limits of each task. `retries`: how
   * often a task is tried again after its worker died or its time was over.
   */
  static create({ workers, reuse = false, timeout, retries = 0, memory, maxTasksPerWorker, name } = {}) {
    const options = {
      workers,
      isolation: reuse ? 'reuse' : 'fresh',
      timeout: nanoseconds(timeout),
      retries,
      memoryBytes: memory === undefined ? undefined : BigInt(memory),
      maxTasksPerWorker,
      name,
    };
    return new Pool(call(() => Bound.create(options)));
  }

  /** Submits a task and gives its future. */
  submit(task, ...args) {
    return new Future(call(() => this.handle.submit(invocationOf(task, args))));
  }

  /** Calls a task once for each value; results in the order of the values. Throws the TaskError of the first that failed. */
  map(task, values) {
    return call(() => this.handle.map(task, Array.from(values, valueOf))).map(resultOf);
  }

  /** The same as a stream, for any number of values: at most `window` are under way, 0 for four per worker. */
  *imap(task, values, { ordered = true, window = 0 } = {}) {
    const mapping = call(() => this.handle.imap(task, ordered, window));
    try {
      const source = values[Symbol.iterator]();
      const waiting = [];
      const fill = () => {
        for (let next; waiting.length < 64 && !(next = source.next()).done; ) waiting.push(valueOf(next.value));
      };
      for (fill(); waiting.length > 0; fill()) {
        // What there is room for goes in; then what is due comes out, which makes room.
        const room = inTime(
          () => mapping.push(waiting, 0n),
          (taken) => waiting.splice(0, taken),
        );
        if (!room) yield* call(() => mapping.next(64, undefined)).map(({ outcome }) => resultOf(outcome));
      }
      mapping.finish();
      for (let due; (due = call(() => mapping.next(1024, undefined))).length > 0; ) {
        yield* due.map(({ outcome }) => resultOf(outcome));
      }
    } finally {
      drop(mapping);
    }
  }

  /** Takes no more tasks, and waits until those that were submitted have ended. */
  drain({ timeout } = {}) {
    call(() => this.handle.drain(nanoseconds(timeout)));
  }

  /** Takes no more tasks. `cancelPending`: those that no worker has yet are cancelled. */
  shutdown({ cancelPending = false } = {}) {
    this.handle.shutdown(cancelPending);
  }

  /** Stops everything at once. */
  kill() {
    this.handle.kill();
  }
}

/** A task that was submitted. It is no promise: `result` waits where it is. */
export class Future {
  constructor(handle) {
    this.handle = handle;
  }

  /** Waits for its result. Throws a TaskError if it did not return. */
  result({ timeout } = {}) {
    return resultOf(call(() => this.handle.result(nanoseconds(timeout))));
  }

  /** ready, running, waiting or ended. */
  get state() {
    return this.handle.state().tag;
  }

  /** The same for people; with what a task waits for: `waiting (queue 1 "jobs": get)`. */
  get shownState() {
    const { tag, val } = this.handle.state();
    return tag === 'waiting' ? `${tag} (${val})` : tag;
  }

  /** Stops it, also if it runs. False if it had ended. */
  cancel() {
    return this.handle.cancel();
  }

  /** For `waitAny`: it has ended. */
  ready() {
    return this.handle.ready();
  }
}
