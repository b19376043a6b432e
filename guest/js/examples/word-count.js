// Counts lines, words and bytes; ../../examples/word-count/wit/world.wit describes the tasks.

/** How many of the most frequent words are told. */
const TOP = 5;

/**
 * Neither letter nor digit. The engine has no tables of Unicode's properties, so no `\p{Alphabetic}`: from U+00C0 on, what is not in a
 * block of signs counts as a letter.
 */
const SIGN =
  '[\\0-/:-@[-`{-\\xa9\\xab-\\xb1\\xb4\\xb6-\\xb8\\xbb\\xbf\\xd7\\xf7\\u2000-\\u206f\\u20a0-\\u20cf\\u2190-\\u2bff\\u3000-\\u303f\\ufeff\\ufff0-\\uffff]';
const SIGNS_AROUND = new RegExp(`^${SIGN}+|${SIGN}+$`, 'gu');

/** `list<u8>` is a Uint8Array. What is not UTF-8 shows as U+FFFD. */
export function countWords(bytes) {
  return count(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes), bytes.length);
}

/** Throws the error of the task: a value, not an Error. */
export function countText(text) {
  const counts = count(text, new TextEncoder().encode(text).length);
  if (counts.words === 0n) throw 'the text has no words';
  return counts;
}

function count(text, bytes) {
  // ASCII whitespace as C has it, and no other.
  const words = text.split(/[ \t-\r]+/).filter((word) => word !== '');
  const times = new Map();
  let longest = '';
  let most = 0;
  for (const word of words) {
    const bare = word.replace(SIGNS_AROUND, '');
    if (bare === '') continue;
    // A string's length counts UTF-16 units; what it is made of are characters.
    const characters = [...bare].length;
    if (characters > most) [longest, most] = [bare, characters];
    const lower = bare.toLowerCase();
    times.set(lower, (times.get(lower) ?? 0) + 1);
  }
  const top = [...times].sort(([a, m], [b, n]) => n - m || byCharacters(a, b)).slice(0, TOP);
  return { lines: BigInt(text.split('\n').length - 1), words: BigInt(words.length), bytes: BigInt(bytes), longest, top };
}

/** By the numbers of their characters; plain `<` goes by UTF-16 units. */
function byCharacters(left, right) {
  const [a, b] = [[...left], [...right]];
  const at = a.findIndex((character, at) => character !== b[at]);
  if (at === -1) return a.length - b.length;
  return at < b.length ? a[at].codePointAt(0) - b[at].codePointAt(0) : 1;
}
