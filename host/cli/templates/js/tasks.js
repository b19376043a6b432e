// The tasks; wit/world.wit describes them. Names are in camelCase here, `u64` and `s64` are BigInts, `list<u8>` is a Uint8Array.

export function greet(name) {
  return `Hello, ${name}!`;
}

/** Fails by throwing a value: the caller gets it. An Error is a trap instead, and ends this task only. */
export function summarize(numbers) {
  if (numbers.length === 0) throw 'there are no numbers';
  const sum = numbers.reduce((sum, number) => sum + number, 0);
  return {
    count: numbers.length,
    sum,
    mean: sum / numbers.length,
    smallest: numbers.reduce((a, b) => Math.min(a, b)),
    largest: numbers.reduce((a, b) => Math.max(a, b)),
  };
}
