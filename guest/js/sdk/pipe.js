// Pipes between two tasks.

import { open } from 'taskcell:host/pipe@0.1.0';

import { JSON_TEXT } from './codec.js';
import { HostError, call, nanoseconds } from './errors.js';

/** Stands for a handle that this task has no more. */
const GIVEN_AWAY = new Proxy(
  {},
  {
    get() {
      throw new HostError('denied', 'this end of the pipe was given away');
    },
  },
);

/** One end of a pipe. It has one owner: giving it to another task moves it. */
export class Connection {
  /** The end that a task was given, or one of those that `pipe` makes. */
  constructor(handle, { codec = JSON_TEXT } = {}) {
    this.handle = handle;
    this.codec = codec;
  }

  /** Sends an item; waits while the pipe is full. */
  send(item, { timeout } = {}) {
    call(() => this.handle.send(this.codec.encode(item), nanoseconds(timeout)));
  }

  /** Takes the next item; waits for one. Fails with `closed` when the other end is and all was received. */
  recv({ timeout } = {}) {
    return this.codec.decode(call(() => this.handle.recv(nanoseconds(timeout))));
  }

  /** Whether `recv` would not wait; waits so long until it is so. */
  poll({ timeout = 0 } = {}) {
    return call(() => this.handle.poll(nanoseconds(timeout)));
  }

  close() {
    this.handle.close();
  }

  /** For `waitAny`: `recv` would not wait. */
  ready() {
    return this.handle.recvReady();
  }

  /** As the next argument of a task, and away from this one. */
  give(invocation) {
    const handle = this.handle;
    this.handle = GIVEN_AWAY;
    invocation.pushConnection(handle);
  }
}

/** Makes a pipe. If it is not duplex, the first end receives and the second sends. */
export function pipe({ duplex = true, name, codec } = {}) {
  return call(() => open({ duplex, name })).map((handle) => new Connection(handle, { codec }));
}
