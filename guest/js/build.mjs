// node build.mjs WIT WORLD SOURCE COMPONENT: makes a component of a JavaScript module. Imports are looked for from the current folder.
//
// What a guest prints goes to the host, so `stdio` stays, as do `clocks` and `random`. There is no network, so `fetch` does not stay: a
// component that imports HTTP would be refused.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { componentize } from '@bytecodealliance/componentize-js';

const [wit, world, source, output] = process.argv.slice(2);
if (!output) {
  console.error('usage: node build.mjs WIT WORLD SOURCE COMPONENT');
  process.exit(2);
}

// What componentize-js 0.23.0 writes between WIT and JavaScript loses some values: an `s64` below 0 traps or arrives as another number
// (https://github.com/bytecodealliance/ComponentizeJS/issues/343), a `u32` from 2^31 on is returned as another number, and a string
// loses U+FEFF at its start. And a thrown Error of the guest's is not known as one, so that a task with a `result` would return it. So
// that text is corrected before it goes in.
const CORRECTIONS = [
  [/(function toInt64\(val\) \{[^}]*?)BigInt\.asIntN/, '$1BigInt.asUintN'],
  [/(function toUint32\(val\) \{[^}]*?)val >>> 0/, '$1val | 0'],
  [/new TextDecoder\(\)/g, "new TextDecoder('utf-8', { ignoreBOM: true })"],
  [/e instanceof Error\)/, 'e instanceof Error || e instanceof contentGlobal.Error)'],
  [/(async function export_\w+\(\w[^)]*\) \{)/g, '$1\n  for (let at = 0; at < arguments.length; at++) if (typeof arguments[at] === "bigint") arguments[at] = BigInt.asIntN(64, arguments[at]);'],
];
const { splicer } = await import(
  new URL('../lib/spidermonkey-embedding-splicer.js', import.meta.resolve('@bytecodealliance/componentize-js'))
);
const splice = splicer.spliceBindings;
splicer.spliceBindings = (...parameters) => {
  const spliced = splice(...parameters);
  for (const [wrong, right] of CORRECTIONS) spliced.jsBindings = spliced.jsBindings.replace(wrong, right);
  return spliced;
};

try {
  const { component } = await componentize({
    sourcePath: resolve(source),
    witPath: resolve(wit),
    worldName: world,
    disableFeatures: ['http', 'fetch-event'],
  });
  await writeFile(output, component);
} catch (error) {
  console.error(`error: failed to build ${source}: ${error?.message ?? error}`);
  process.exit(1);
}
