// The end of the ladder, as a process: defects of many instruments climb from shard to market to service
// until no supervisor is left, and the process leaves with exit code 70. Each step is an event, and stands on
// the log afterwards.

import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../runtime/clock.ts';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import { OUTPUT_BYTES_MAX } from '../../runtime/options.ts';
import { EVENTS_TOPIC, TOPIC, topicSpecs } from '../../runtime/services.ts';
import { EXIT_EXHAUSTED } from '../../runtime/startup.ts';
import { configDir, SHIPPED } from '../support/config-dir.ts';
import { Product, temporaryDirectory } from '../support/product.ts';
import { lmpTick, TEN_O_CLOCK } from '../support/wire-ticks.ts';

const [PARTITIONS, INSTRUMENTS] = [8, 16];
const RETENTION_MS = 168 * 3_600_000;

/** Every budget is small, so that sixteen instruments are enough. */
function tight(): string {
  const text = readFileSync(join(SHIPPED, 'runtime.yaml'), 'utf8');
  return ['quarantine', 'shard', 'market', 'service'].reduce(
    (all, level) => all.replace(new RegExp(`(\\n  ${level}: \\{ intensity: )\\d+`), '$11'),
    text,
  );
}

/** A tick that just fits; enriched it is over the bound, which is a defect of its instrument. */
function swollen(location: string, n: number): string {
  const tick = lmpTick(TEN_O_CLOCK + n * 900_000, n, { delivery_location: location });
  const plain = JSON.stringify({ ...tick, normalization_metadata: {}, quality_flags: [''] });
  const flag = 'x'.repeat(OUTPUT_BYTES_MAX - plain.length);
  return JSON.stringify({ ...tick, normalization_metadata: {}, quality_flags: [flag] });
}

async function feed(dir: string): Promise<void> {
  const log = openEmbeddedLog({ dir: join(dir, 'data', 'log'), nowMs: systemClock.nowMs });
  await log.bootstrap(topicSpecs(['CAISO', 'MISO'], PARTITIONS, RETENTION_MS));
  for (let n = 0; n < INSTRUMENTS; n += 1) {
    const location = `SWOLLEN_${n}`;
    const key = `CAISO:RTPD:${location}`;
    const outputs = [0, 1, 2].map((at) => ({ topic: TOPIC.ticks, key, value: swollen(location, at) }));
    await log.append('another producer', outputs, []);
  }
  await log.close();
}

async function escalations(dir: string): Promise<string[]> {
  const log = openEmbeddedLog({ dir: join(dir, 'data', 'log'), nowMs: systemClock.nowMs });
  const found: string[] = [];
  for (let from = 0; ; ) {
    const batch = await log.read({ topic: EVENTS_TOPIC, partition: 0 }, from, 100);
    if (batch === null) break;
    for (let index = 0; index < batch.count; index += 1) {
      const event = JSON.parse(new TextDecoder().decode(batch.value(index)));
      if (event.kind === 'escalation') found.push(event.actor);
    }
    from = batch.nextOffset;
  }
  await log.close();
  return found;
}

test('when every budget is used up the process leaves with 70, and events say why', async () => {
  using dir = temporaryDirectory();
  using configs = configDir(SHIPPED, { runtime: tight() });
  await feed(dir.path);
  await using product = new Product({ dir: dir.path, env: { CONFIG_DIR: configs.path } });
  expect(await product.exited()).toBe(EXIT_EXHAUSTED);
  const last = product.lines.find((line) => line.event === 'exhausted');
  expect(last?.message).toStartWith('every restart budget is used up: ');
  const steps = await escalations(dir.path);
  expect(steps).toContain('CAISO');
  expect(steps.at(-1)).toBe('process');
  expect(steps.some((each) => each.startsWith('markets/CAISO/'))).toBe(true);
});
