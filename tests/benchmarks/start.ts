// How long a start takes: from the spawn of the process until every port answers /health with 200, on an
// empty directory, and again with the sample's state to restore.

import { SERVICES } from '../../runtime/services.ts';
import { Product, temporaryDirectory } from '../support/product.ts';

export async function start(): Promise<void> {
  using dir = temporaryDirectory();
  await timed('empty directory', dir.path);
  await timed('warm, the sample’s state restored', dir.path);
}

async function timed(what: string, dir: string): Promise<void> {
  const sinceMs = performance.now();
  await using product = new Product({ dir });
  await product.ready();
  for (const { name } of SERVICES) {
    while ((await product.get(name, '/health')).status !== 200) await Bun.sleep(5);
  }
  console.log(`  ${((performance.now() - sinceMs) / 1_000).toFixed(2)} s  ${what}`);
  await product.sampleIn();
  await product.stop();
}
