// What a running task may know of itself, and tell.

import * as bound from 'taskcell:host/task@0.1.0';

/** Its id, attempt, name and parent. */
export const self = () => bound.self();

/** Whether somebody asked this task to stop. A loop may ask often. */
export const cancelled = () => bound.cancelled();

/** Tells how far this task is. */
export function progress(done, total, note = '') {
  bound.progress(BigInt(done), total === undefined ? undefined : BigInt(total), note);
}

/** Writes a line to the log of this job: trace, debug, info, warn or error. */
export const log = (message, level = 'info') => bound.log(level, message);

/** How many CPUs this job may use. */
export const cpuCount = () => bound.cpuCount();
