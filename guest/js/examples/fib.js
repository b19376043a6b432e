// The smallest tasks there are; ../../examples/fib/wit/world.wit describes them.

/** The last one that a JavaScript number has exactly. */
const EXACT = 78;

/** WIT's `u64` is a BigInt. */
export function fib(n) {
  return n <= EXACT ? BigInt(small(n)) : BigInt.asUintN(64, fib(n - 1) + fib(n - 2));
}

function small(n) {
  return n < 2 ? n : small(n - 1) + small(n - 2);
}

/** `numbers` is a Uint32Array: no sum of what fits into it is beyond what a number has exactly. */
export function sum(numbers) {
  let sum = 0;
  for (const number of numbers) sum += number;
  return BigInt(sum);
}

export function echo(data) {
  return data;
}

export function greet(name) {
  return `Hello, ${name}!`;
}
