// piscina, Node's usual pool of worker threads: node piscina.mjs MODULES GROUP FOLDER full|quick [...]
//
// Threads of one process: cheaper than processes, and a crash of one is the crash of all.

import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';

const [modules, group, , effort, ...rest] = process.argv.slice(2);
const { Piscina } = createRequire(`${modules}/`)('piscina');

const WORKERS = 2;
const PAYLOADS = [64, 4096, 1 << 20];
const filename = new URL('./piscina-task.mjs', import.meta.url).href;

const times = (full) => (effort === 'quick' ? Math.max(Math.floor(full / 10), 1) : full);
const tell = (name, unit, value) => console.log(JSON.stringify({ name, value, unit }));

function pool(workers = WORKERS, options = {}) {
  return new Piscina({ filename, minThreads: workers, maxThreads: workers, ...options });
}

async function timeEach(count, work) {
  const found = [];
  for (let at = 0; at < count; at += 1) {
    const began = performance.now();
    await work();
    found.push(performance.now() - began);
  }
  return found.sort((a, b) => a - b);
}

function tellTimes(name, found) {
  for (const [share, suffix] of [[50, 'p50'], [99, 'p99']]) {
    tell(`${name}/${suffix}`, 'us', found[Math.floor((found.length * share) / 100)] * 1e3);
  }
}

async function rate(name, count, work) {
  const began = performance.now();
  await Promise.all(Array.from({ length: count }, work));
  tell(name, 'tasks/s', count / ((performance.now() - began) / 1e3));
}

const groups = {
  async startup() {
    const found = await timeEach(times(10), async () => {
      const opened = pool();
      await opened.run(1, { name: 'same' });
      await opened.destroy();
    });
    tell('startup', 'ms', found[Math.floor(found.length / 2)]);
  },

  async task() {
    const opened = pool();
    await timeEach(times(500), () => opened.run(1, { name: 'same' }));
    tellTimes('task', await timeEach(times(5000), () => opened.run(1, { name: 'same' })));
    await opened.destroy();
  },

  async bytes() {
    const opened = pool();
    for (const size of PAYLOADS) {
      const payload = new Uint8Array(size);
      const count = size > 100_000 ? 200 : 2000;
      const one = () => opened.run(payload, { name: 'same' });
      await timeEach(times(count / 10), one);
      tellTimes(`bytes/${size}`, await timeEach(times(count), one));
    }
    await opened.destroy();
  },

  async map() {
    for (const [how, concurrentTasksPerWorker] of [['chunk-1', 1], ['chunk-1/10-at-once', 10]]) {
      const opened = pool(WORKERS, { concurrentTasksPerWorker });
      await opened.run(1, { name: 'same' });
      await rate(`map/${how}`, times(30_000), () => opened.run(1, { name: 'same' }));
      await opened.destroy();
    }
  },

  async fib() {
    const opened = pool();
    await opened.run(20, { name: 'fibOf' });
    for (const [n, count] of [[20, 8000], [25, 1000]]) {
      await rate(`fib-${n}`, times(count), () => opened.run(n, { name: 'fibOf' }));
    }
    await opened.destroy();
  },

  async payload() {
    const opened = pool();
    await opened.run(1, { name: 'same' });
    for (const size of rest.map(Number)) {
      const payload = new Uint8Array(size);
      const count = Math.max(times(Math.floor(400_000_000 / (20_000 + 8 * size))), 20);
      await rate(`payload/${size}`, count, () => opened.run(payload, { name: 'same' }));
    }
    await opened.destroy();
  },
};

await groups[group]();
