// What a look costs: CPU time that the process spends (of all its threads, from /proc) divided by the
// requests, once the sample is in and it idles. What it spends idle is taken off.

import { readFileSync } from 'node:fs';
import type { ServiceName } from '../../runtime/views.ts';
import { type Product, startProduct } from '../support/product.ts';

const REQUESTS = 500;
const IDLE_MS = 2_000;
/** Clock ticks a second of /proc on Linux. */
const TICKS = 100;

const LOOKS: readonly (readonly [ServiceName, string])[] = [
  ['aggregation', '/health/live'],
  ['aggregation', '/actors'],
  ['aggregation', '/actors/CAISO?limit=100'],
  ['aggregation', '/actors/CAISO/DAM:TH_SP15_GEN-APND'],
  ['aggregation', '/actors/CAISO/DAM:TH_SP15_GEN-APNX'],
  ['aggregation', '/events'],
  ['aggregation', '/metrics'],
];

export async function inspection(): Promise<void> {
  await using product = await startProduct();
  await product.sampleIn();
  const { tree } = JSON.parse(await (await product.get('aggregation', '/actors')).text());
  console.log(`  ${tree.nodes[0].instruments} instruments live`);
  const idle = await idleShare(product);
  for (const [service, path] of LOOKS) {
    for (let warm = 0; warm < 100; warm += 1) await (await product.get(service, path)).arrayBuffer();
    const from = cpuMs(product.pid);
    const sinceMs = performance.now();
    for (let asked = 0; asked < REQUESTS; asked += 1) await (await product.get(service, path)).arrayBuffer();
    const wallMs = performance.now() - sinceMs;
    const spent = Math.max(0, cpuMs(product.pid) - from - idle * wallMs);
    const each = Math.round((spent * 1_000) / REQUESTS);
    console.log(`  ${String(each).padStart(7)} µs CPU  ${path}`);
  }
}

/** Milliseconds of CPU a millisecond, when nobody asks. */
async function idleShare({ pid }: Product): Promise<number> {
  const from = cpuMs(pid);
  await Bun.sleep(IDLE_MS);
  return (cpuMs(pid) - from) / IDLE_MS;
}

export function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS;
}
