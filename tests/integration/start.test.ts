// `bun run start` as a user has it: a process, its ports, its log, its end.

import { expect, test } from 'bun:test';
import { SERVICES } from '../../runtime/services.ts';
import { startProduct } from '../support/product.ts';

test('replays the sample once, and a restart does not repeat it', async () => {
  await using product = await startProduct();
  const first = await product.sampleIn();
  expect(first).toMatchObject({ balanced: true });
  expect(await product.stop()).toBe(0);

  await using again = await startProduct({ dir: product.dir });
  const second = await again.sampleIn();
  expect(second).toMatchObject({ fresh: 0, ticks: first.ticks, bars: first.bars, balanced: true });
  for (const { name } of SERVICES) expect((await again.get(name, '/health')).status).toBe(200);
  expect(await again.stop()).toBe(0);
}, 400_000);
