// The end of the real process: SIGTERM amid the replay drains and loses nothing, a restart goes on and
// repeats nothing; a second signal does not wait; SIGINT is the same.

import { expect, test } from 'bun:test';
import { startProduct } from '../support/product.ts';

test('SIGTERM in mid-replay drains; a restart resumes, and the sums are those of one run', async () => {
  await using product = await startProduct();
  await product.line('records flow', (line) => line.event === 'progress' && Number(line.ticks) > 0, 240_000);
  expect(await product.stop()).toBe(0);
  expect(product.lines.some((line) => line.event === 'sample_in')).toBe(false);
  const ended = product.lines.filter((line) => line.kind === 'stop').map((line) => line.actor);
  const pipeline = ['normalization', 'enrichment', 'aggregation', 'projection', 'data-quality'];
  expect(new Set(ended)).toEqual(new Set(pipeline.map((name) => `services/${name}`)));
  expect(product.lines.some((line) => line.kind === 'dependency_down')).toBe(false);

  await using again = await startProduct({ dir: product.dir });
  expect(await again.sampleIn()).toMatchObject({ balanced: true, ticks: 85_553 });
  expect(await again.stop()).toBe(0);
}, 500_000);

test('SIGINT ends it with 0', async () => {
  await using product = await startProduct();
  product.signal('SIGINT');
  expect(await product.exited()).toBe(0);
}, 120_000);

test('a second signal does not wait for what the first one waits for', async () => {
  await using product = await startProduct();
  const up = await product.line('the engine', (line) => line.kind === 'dependency_up');
  const engine = Number(/\d+/.exec(String(up.cause))?.[0]);
  await product.line('records flow', (line) => line.event === 'progress' && Number(line.ticks) > 0, 240_000);
  // An engine that stands still holds up every write, and with it the drain.
  process.kill(engine, 'SIGSTOP');
  try {
    product.signal('SIGTERM');
    await product.line('it drains', (line) => line.event === 'draining');
    product.signal('SIGTERM');
    expect(await product.exited()).toBe(130);
  } finally {
    process.kill(engine, 'SIGKILL');
  }
}, 400_000);
