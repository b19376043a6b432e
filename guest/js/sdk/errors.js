// The host's errors as exceptions, and what calls have in common.

/** The host could not do what it was asked for. `code` is the case of the error in WIT: timed-out, closed, cancelled, denied, ... */
export class HostError extends Error {
  constructor(code, text) {
    super(text === undefined ? code : `${code}: ${text}`);
    this.name = 'HostError';
    this.code = code;
  }
}

/** A task did not return. `kind` is failed, trapped, timed-out, over-limit, cancelled or lost; `value` is what it failed with. */
export class TaskError extends Error {
  constructor(kind, value) {
    super(value === undefined ? kind : `${kind}: ${typeof value === 'string' ? value : JSON.stringify(value)}`);
    this.name = 'TaskError';
    this.kind = kind;
    this.value = value;
  }
}

/** Calls the host, with its errors as exceptions of ours. */
export function call(function_) {
  try {
    return function_();
  } catch (error) {
    const payload = error?.payload;
    if (payload?.tag === undefined) throw error;
    throw new HostError(payload.tag, payload.val);
  }
}

/** The same for what may be over its time: false then, and true with the answer in `then` otherwise. */
export function inTime(function_, then = () => {}) {
  try {
    then(call(function_));
    return true;
  } catch (error) {
    if (error instanceof HostError && error.code === 'timed-out') return false;
    throw error;
  }
}

/** The host's measure of time, of seconds; undefined is for ever. */
export function nanoseconds(seconds) {
  return seconds === undefined ? undefined : BigInt(Math.max(0, Math.round(seconds * 1e9)));
}

/**
 * What a task fails with: `asResult(() => { ... })` throws the message of a HostError or TaskError as a value, which is how a task with a
 * `result<_, string>` fails. Thrown as they are they would be traps.
 */
export function asResult(function_) {
  try {
    return function_();
  } catch (error) {
    if (error instanceof HostError || error instanceof TaskError) throw error.message;
    throw error;
  }
}

/** Gives a handle back now, and not when the task ends. */
export function drop(handle) {
  handle[Symbol.dispose ?? Symbol.for('dispose')]();
}
