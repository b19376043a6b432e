// Tasks as processes.

import * as bound from 'taskcell:host/process@0.1.0';

import { text } from './codec.js';
import { TaskError, call, inTime, nanoseconds } from './errors.js';

/** Bytes go as they are, anything else as JSON by the type of the parameter. */
export function valueOf(argument) {
  return argument instanceof Uint8Array ? { tag: 'bytes', val: argument } : { tag: 'json', val: text(argument) };
}

/** A task and its arguments, in the order of its parameters. */
export function invocationOf(task, args) {
  const invocation = new bound.Invocation(task);
  for (const argument of args) {
    if (typeof argument?.give === 'function') argument.give(invocation);
    else invocation.push(valueOf(argument));
  }
  return invocation;
}

/** What a task returned. Throws a TaskError if it did not return. */
export function resultOf({ tag, val }) {
  if (tag === 'ok') return contentOf(val);
  throw new TaskError(tag, tag === 'failed' ? contentOf(val) : val);
}

function contentOf({ tag, val }) {
  if (tag === 'json') return JSON.parse(val);
  return tag === 'bytes' ? val : undefined;
}

/** A task in a process of its own. */
export class Process {
  constructor(handle) {
    this.handle = handle;
  }

  /**
   * Starts a task: an export of this component, or `module/export` of another one. An end of a pipe among the arguments is given away;
   * anything else stays with the caller too. `timeout` (seconds) and `memory` (bytes) are its limits; it is killed when this task ends,
   * unless it is `detached`.
   */
  static spawn(task, args = [], { name, timeout, memory, detached = false } = {}) {
    const options = { name, timeout: nanoseconds(timeout), memoryBytes: memory === undefined ? undefined : BigInt(memory), detached };
    return new Process(call(() => bound.Process.spawn(invocationOf(task, args), options)));
  }

  /** Waits until it has ended, and gives what it returned. Throws a TaskError if it did not. */
  join({ timeout } = {}) {
    return resultOf(call(() => this.handle.join(nanoseconds(timeout))));
  }

  /** The number of the process that it runs in; undefined until there is one. */
  get pid() {
    return this.handle.pid();
  }

  /** Waits until it runs, and gives its `pid`; undefined if it ended so soon that nobody saw it run. */
  started() {
    for (;;) {
      const pid = this.handle.pid();
      if (pid !== undefined) return pid;
      const wait = inTime(() => this.handle.join(nanoseconds(0.001)), () => true);
      if (wait) return undefined;
    }
  }

  get name() {
    return this.handle.name();
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

  /** Asks it to stop; after `grace` seconds it is killed. */
  terminate(grace = 0.25) {
    this.handle.terminate(nanoseconds(grace));
  }

  kill() {
    this.handle.kill();
  }

  /** For `waitAny`: it has ended. */
  ready() {
    return this.handle.ended();
  }
}
