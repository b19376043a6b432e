// Queues between tasks. Calls wait where they are; there are no promises in them.

import { Queue as Bound } from 'taskcell:host/queue@0.1.0';

import { JSON_TEXT } from './codec.js';
import { HostError, call, drop, nanoseconds } from './errors.js';

/** A queue of messages. Timeouts are in seconds; undefined waits for ever, 0 not at all. */
export class Queue {
  /** The queue that a task was given. */
  constructor(handle, { codec = JSON_TEXT } = {}) {
    this.handle = handle;
    this.codec = codec;
  }

  /** Makes a queue. `capacity`: the most messages that it holds; `maxAttempts`: how often one is delivered under a lease. */
  static create({ capacity, maxAttempts, name, codec } = {}) {
    return new Queue(call(() => Bound.create({ capacity, maxAttempts, name })), { codec });
  }

  /** Adds an item at the end; waits for room. */
  put(item, { timeout } = {}) {
    call(() => this.handle.put(this.codec.encode(item), nanoseconds(timeout)));
  }

  /** Adds all of these with nothing between them, or none: one call to the host. */
  putMany(items, { timeout } = {}) {
    call(() => this.handle.putMany(Array.from(items, this.codec.encode), nanoseconds(timeout)));
  }

  /** Takes the oldest item; waits for one. Fails with `closed` when the queue is and nothing can come any more. */
  get({ timeout } = {}) {
    return this.codec.decode(call(() => this.handle.get(nanoseconds(timeout))));
  }

  /** Takes at least one item and at most `limit`: one call to the host. */
  getMany(limit, { timeout } = {}) {
    return call(() => this.handle.getMany(limit, nanoseconds(timeout))).map(this.codec.decode);
  }

  /** Takes items until the queue is closed and empty: `for (const item of queue)`. */
  *[Symbol.iterator]() {
    for (;;) {
      let item;
      try {
        item = this.get();
      } catch (error) {
        if (error instanceof HostError && error.code === 'closed') return;
        throw error;
      }
      yield item;
    }
  }

  /**
   * Takes an item for `lease` seconds and gives what `work(item, delivery)` gives. The item is gone then; if `work` throws, or takes
   * longer, it is delivered once more.
   */
  receive(lease, work, { timeout } = {}) {
    const handle = call(() => this.handle.receive(nanoseconds(lease), nanoseconds(timeout)));
    try {
      const delivery = new Delivery(handle);
      const done = work(this.codec.decode(handle.message()), delivery);
      if (!delivery.answered) delivery.ack();
      return done;
    } finally {
      // Dropping what was not answered gives the message back.
      drop(handle);
    }
  }

  /** How many items could be taken now. It may be another number already. */
  get length() {
    return this.handle.len();
  }

  /** How many items wait, are under a lease, are delayed, were rejected, were dropped. */
  counts() {
    return this.handle.counts();
  }

  /** Takes items that were given up, each with how often it was delivered. */
  takeRejected(limit) {
    const taken = call(() => this.handle.takeRejected(limit));
    return taken.map(({ message, attempts }) => ({ item: this.codec.decode(message), attempts }));
  }

  /** No more items, from anybody. What is there can still be taken. */
  close() {
    call(() => this.handle.close());
  }

  /** Waits until all items were taken, and answered for if they were taken under a lease. */
  join({ timeout } = {}) {
    call(() => this.handle.join(nanoseconds(timeout)));
  }

  /** The same queue with fewer rights, to be given away. */
  restrict({ get = false, put = false }) {
    return new Queue(call(() => this.handle.restrict({ get, put })), { codec: this.codec });
  }

  /** For `waitAny`: an item can be taken. */
  ready() {
    return this.handle.getReady();
  }

  /** As the next argument of a task. */
  give(invocation) {
    invocation.pushQueue(this.handle);
  }
}

/** An item under a lease. */
class Delivery {
  constructor(handle) {
    this.handle = handle;
    this.attempt = handle.attempt();
    this.answered = false;
  }

  /** It is done, and gone. */
  ack() {
    this.#answer(() => this.handle.ack());
  }

  /** It is to be delivered again, at once or after `delay` seconds. */
  nack(delay = 0) {
    this.#answer(() => this.handle.nack(nanoseconds(delay)));
  }

  /** Nobody can handle it. */
  reject() {
    this.#answer(() => this.handle.reject());
  }

  /** The lease ends so many seconds from now. */
  extend(lease) {
    call(() => this.handle.extend(nanoseconds(lease)));
  }

  #answer(function_) {
    call(function_);
    this.answered = true;
  }
}
