// Waiting for the first of several things.

import { waitAny as bound } from 'taskcell:host/waiting@0.1.0';

import { drop, inTime, nanoseconds } from './errors.js';

/**
 * Those of these queues, connections, flags, processes and futures that are ready, at least one; none if the time is over. It takes
 * nothing: follow it with a call that does not wait, as somebody else may be faster.
 */
export function waitAny(things, { timeout } = {}) {
  const waitables = things.map((thing) => thing.ready());
  let ready = [];
  try {
    inTime(
      () => bound(waitables, nanoseconds(timeout)),
      (places) => (ready = Array.from(places, (place) => things[place])),
    );
  } finally {
    waitables.forEach(drop);
  }
  return ready;
}
