// A task for every kind of value; ../../examples/types/wit/world.wit describes them.

const echo = (value) => value;

export {
  echo as echoBool,
  echo as echoU8,
  echo as echoU16,
  echo as echoU32,
  echo as echoU64,
  echo as echoS8,
  echo as echoS16,
  echo as echoS32,
  echo as echoS64,
  echo as echoF32,
  echo as echoF64,
  echo as echoChar,
  echo as echoString,
  echo as echoBytes,
  echo as echoListU32,
  echo as echoListF64,
  echo as echoListBool,
  echo as echoListChar,
  echo as echoListString,
  echo as echoListList,
  echo as echoListPerson,
  echo as echoListBytes,
  echo as echoTuple,
  echo as echoRecord,
  echo as echoVariant,
  echo as echoEnum,
  echo as echoFlags,
  echo as echoManyFlags,
  echo as echoOption,
  echo as echoOptionOption,
  echo as echoOptionRecord,
  echo as echoNumbers,
  echo as echoLists,
  echo as echoOptions,
  echo as echoResults,
  echo as echoNested,
};

// A result as a value is `{ tag: 'ok', val }` or `{ tag: 'err', val }`. As the whole answer it tells how the task ended, so that one
// which is meant as a value stands in a tuple.
const inTuple = (value) => [value];

export { inTuple as echoResult, inTuple as echoResultOk, inTuple as echoResultError, inTuple as echoResultEmpty };

export function twoParams(a, b) {
  return `${a} ${b}`;
}

/** `u64` and `s64` are BigInts, all other numbers are numbers. */
export function manyParams(...parameters) {
  const text = parameters.pop();
  const sum = parameters.reduce((sum, parameter) => sum + BigInt(parameter), 0n);
  return sum + BigInt(new TextEncoder().encode(text).length);
}

export function noParams() {
  return 42;
}

export function noResult(n) {}

export function nothing() {}

/** What is thrown and is no Error is the error of the result. */
export function fallible(n) {
  if (n % 2) throw `${n} is odd`;
  return n;
}

/** An error that carries nothing. */
export function half(n) {
  if (n % 2) throw undefined;
  return n / 2;
}

export function even(n) {
  if (n % 2) throw undefined;
}

export function workOn(day) {
  if (day === 'sunday') throw { day, reason: 'a day of rest' };
}

/** An Error is a fault of the program: a trap. */
export function panics(message) {
  throw new Error(message);
}

export function greetMany(names) {
  return names.map((name) => `Hello, ${name}!`);
}

export function repeat(text, times) {
  return text.repeat(times);
}

/** An exported interface is an object. */
export const shapes = {
  area({ tag, val }) {
    switch (tag) {
      case 'circle':
        return Math.PI * val * val;
      case 'rectangle':
        return val.width * val.height;
      default:
        return 0;
    }
  },

  scale({ tag, val }, factor) {
    switch (tag) {
      case 'circle':
        return { tag, val: val * factor };
      case 'rectangle':
        return { tag, val: { width: val.width * factor, height: val.height * factor } };
      default:
        return { tag };
    }
  },
};
