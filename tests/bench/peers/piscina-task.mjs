// What piscina's threads run.

function fib(n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

export function same(value) {
  return value;
}

export function fibOf(n) {
  return fib(n);
}
