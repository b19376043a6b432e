// Maps that tasks share.

import { SharedMap as Bound } from 'taskcell:host/shared-map@0.1.0';

import { JSON_TEXT } from './codec.js';
import { call, nanoseconds } from './errors.js';

/**
 * A map of strings to values, with the methods of a Map. Each method is one step; `m.set(k, m.get(k) + 1)` is two, so somebody else may
 * come between: `increment` and `compareAndSwap` are for that.
 */
export class SharedMap {
  /** The map that a task was given. */
  constructor(handle, { codec = JSON_TEXT } = {}) {
    this.handle = handle;
    this.codec = codec;
  }

  static create({ name, codec } = {}) {
    return new SharedMap(call(() => Bound.create(name)), { codec });
  }

  /** A key's value; undefined if it is absent. */
  get(key) {
    return this.entry(key)?.value;
  }

  /** A key's value and version; undefined if it is absent. */
  entry(key) {
    return this.#decoded(call(() => this.handle.get(key)));
  }

  /** Sets a key and gives its version; it vanishes by itself after `expiresIn` seconds. */
  set(key, value, { expiresIn } = {}) {
    return call(() => this.handle.set(key, this.codec.encode(value), nanoseconds(expiresIn)));
  }

  /** Sets all of these pairs at one moment. */
  setMany(pairs) {
    const entries = Array.from(pairs, ([key, value]) => ({ key, value: this.codec.encode(value) }));
    return call(() => this.handle.setMany(entries));
  }

  /** Removes a key and tells whether it was there. */
  delete(key) {
    return call(() => this.handle.remove(key));
  }

  has(key) {
    return call(() => this.handle.contains(key));
  }

  get size() {
    return Number(call(() => this.handle.len()));
  }

  clear() {
    call(() => this.handle.clear());
  }

  /** The keys, in order, page by page: not all of one moment. */
  *keys(prefix = '') {
    let cursor;
    do {
      const page = call(() => this.handle.keys(prefix, cursor, 0));
      yield* page.keys;
      cursor = page.next;
    } while (cursor !== undefined);
  }

  /** Keys and values, page by page. */
  *entries(prefix = '') {
    let cursor;
    do {
      const page = call(() => this.handle.items(prefix, cursor, 0));
      for (const { key, entry } of page.items) yield [key, this.codec.decode(entry.value)];
      cursor = page.next;
    } while (cursor !== undefined);
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  /** Adds to an integer, and gives the sum, a BigInt: exact, however many do it at once. An absent key counts as 0. */
  increment(key, by = 1) {
    return call(() => this.handle.increment(key, BigInt(by)));
  }

  /** Sets a key if it is still at this version (undefined: absent), and tells whether it did. */
  compareAndSwap(key, version, value, { expiresIn } = {}) {
    const swapped = call(() => this.handle.compareAndSwap(key, version, this.codec.encode(value), nanoseconds(expiresIn)));
    return swapped.tag === 'swapped';
  }

  /** Waits until a key is not at the version `since` any more; gives what is there as `entry` does. */
  watch(key, since, { timeout } = {}) {
    return this.#decoded(call(() => this.handle.watch(key, since, nanoseconds(timeout))));
  }

  /** The same map with fewer rights or keys, to be given away. */
  restrict({ read = false, write = false, prefix = '' }) {
    return new SharedMap(call(() => this.handle.restrict({ read, write }, prefix)), { codec: this.codec });
  }

  #decoded(entry) {
    return entry && { value: this.codec.decode(entry.value), version: entry.version };
  }

  /** As the next argument of a task. */
  give(invocation) {
    invocation.pushSharedMap(this.handle);
  }
}
