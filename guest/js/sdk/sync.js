// Locks, semaphores, events, conditions and barriers between tasks. What a task holds when it ends, however it ends, is given on.

import * as bound from 'taskcell:host/sync@0.1.0';

import { call, inTime, nanoseconds } from './errors.js';

/** A lock that one task holds at a time: `lock.with(() => { ... })`. */
export class Lock {
  /** The lock that a task was given. */
  constructor(handle) {
    this.handle = handle;
    /** Whether the last owner ended while it held it: what the lock guards may be half done. */
    this.abandoned = false;
  }

  /** Makes a lock. The owner of a reentrant one may acquire it again, and has to release it as often. */
  static create({ reentrant = false, name } = {}) {
    return new Lock(call(() => bound.Lock.create(reentrant, name)));
  }

  /** Waits for the lock; false if the time is over. */
  acquire({ timeout } = {}) {
    return inTime(
      () => this.handle.acquire(nanoseconds(timeout)),
      (how) => (this.abandoned = how === 'abandoned'),
    );
  }

  release() {
    call(() => this.handle.release());
  }

  /** Does `work` with the lock, and gives what it gives. */
  with(work) {
    this.acquire();
    try {
      return work(this);
    } finally {
      this.release();
    }
  }

  /** As the next argument of a task. */
  give(invocation) {
    invocation.pushLock(this.handle);
  }
}

/** A number of permits. */
export class Semaphore {
  /** The semaphore that a task was given. */
  constructor(handle) {
    this.handle = handle;
  }

  /** `counting`: anybody may release. Else permits are lent, and those of a task that ends come back. */
  static create(permits, { counting = false, name } = {}) {
    return new Semaphore(call(() => bound.Semaphore.create(permits, counting ? 'counting' : 'owned', name)));
  }

  /** Takes permits; false if the time is over. */
  acquire(permits = 1, { timeout } = {}) {
    return inTime(() => this.handle.acquire(permits, nanoseconds(timeout)));
  }

  release(permits = 1) {
    call(() => this.handle.release(permits));
  }

  get available() {
    return this.handle.available();
  }

  /** As the next argument of a task. */
  give(invocation) {
    invocation.pushSemaphore(this.handle);
  }
}

/** A flag to wait for. It is no DOM event. */
export class Flag {
  /** The event that a task was given. */
  constructor(handle) {
    this.handle = handle;
  }

  static create({ name } = {}) {
    return new Flag(call(() => bound.Event.create(name)));
  }

  set() {
    this.handle.set();
  }

  clear() {
    this.handle.clear();
  }

  get isSet() {
    return this.handle.isSet();
  }

  /** Waits until the flag is set; false if the time is over. */
  wait({ timeout } = {}) {
    return inTime(() => this.handle.wait(nanoseconds(timeout)));
  }

  /** For `waitAny`: the flag is set. */
  ready() {
    return this.handle.ready();
  }

  /** As the next argument of a task. */
  give(invocation) {
    invocation.pushEvent(this.handle);
  }
}

/** A place to wait until somebody who holds the lock says that things changed. */
export class Condition {
  /** The condition that a task was given. */
  constructor(handle) {
    this.handle = handle;
  }

  static create(lock, { name } = {}) {
    return new Condition(call(() => bound.Condition.create(lock.handle, name)));
  }

  /** Waits for a notification without the lock, and has the lock again afterwards; false if the time is over. */
  wait({ timeout } = {}) {
    return call(() => this.handle.wait(nanoseconds(timeout))).notified;
  }

  /** Lets so many of those who wait go on, and tells how many there were. */
  notify(count = 1) {
    return call(() => this.handle.notify(count));
  }

  notifyAll() {
    return call(() => this.handle.notifyAll());
  }

  /** As the next argument of a task. */
  give(invocation) {
    invocation.pushCondition(this.handle);
  }
}

/** A place where nobody goes on until all have arrived. */
export class Barrier {
  /** The barrier that a task was given. */
  constructor(handle) {
    this.handle = handle;
  }

  static create(parties, { name } = {}) {
    return new Barrier(call(() => bound.Barrier.create(parties, name)));
  }

  /** Arrives and waits for the others; gives this one's number in the order of arrival. */
  wait({ timeout } = {}) {
    return call(() => this.handle.wait(nanoseconds(timeout)));
  }

  reset() {
    this.handle.reset();
  }

  /** As the next argument of a task. */
  give(invocation) {
    invocation.pushBarrier(this.handle);
  }
}
