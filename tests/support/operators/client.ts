// A process that asks a stand-in by the product's own way out, in turns that it shares with others:
// `bun client.ts <dir> <port> <interval ms> <requests> <ca file>`. Says when it had each turn, by the clock
// of the machine, and when all were answered. One that asks for 0 only takes turns, three at once, and waits
// for its end.

import { readFileSync } from 'node:fs';
import { machineClock, systemClock } from '../../../runtime/clock.ts';
import { systemFetch } from '../../../runtime/live/fetch.ts';
import { hostLimiter } from '../../../runtime/live/host-limiter.ts';

const HOST = 'oasis.example';

const [dir = '', port = '', interval = '', requests = '', caFile = ''] = process.argv.slice(2);
const intervalMs = Number(interval);
const signal = new AbortController().signal;
const limiter = hostLimiter(dir, machineClock);
const network = { resolve: async () => ['127.0.0.1'], ca: readFileSync(caFile, 'utf8') };
const fetch = systemFetch(systemClock, network);
const origin = `https://${HOST}:${port}`;

console.log('ready');
if (requests === '0') {
  await Promise.all([1, 2, 3].map(() => limiter.turn(HOST, intervalMs, signal)));
  await new Promise(() => {});
}
for (let n = 0; n < Number(requests); n += 1) {
  const { reply } = await fetch(
    {
      url: `${origin}/${process.pid}`,
      headers: {},
      origins: new Set([origin]),
      privateAddresses: true,
      timeoutMs: 30_000,
      bytesMax: 1_000,
      turn: async (host) => {
        await limiter.turn(host, intervalMs, signal);
        console.log(`turn ${machineClock.nowMs()}`);
      },
    },
    signal,
  );
  if (reply.status !== 200) throw new Error(`answered ${reply.status}`);
}
console.log('done');
