// How JavaScript's values become the bytes of messages, and back. The host carries bytes and does not look at them.

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** What JSON can say: every language can read and write it. BigInts are written as numbers, and read as numbers. */
export const JSON_TEXT = {
  encode: (value) => encoder.encode(text(value)),
  decode: (bytes) => JSON.parse(decoder.decode(bytes)),
};

/** Bytes as they are: a Uint8Array. */
export const BYTES = {
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
};

/** JSON, also of BigInts: as numbers where a number is exact, and else as the digits that they are. */
export function text(value) {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => text(item ?? null)).join(',')}]`;
  if (value !== null && typeof value === 'object' && typeof value.toJSON !== 'function') {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${text(field)}`).join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}
