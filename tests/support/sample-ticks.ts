// The recorded sample as ticks, and the shipped configuration as options: what tests of the later stages
// start from.

import type { Tick } from '../../actors/domain/wire.ts';
import { findFeed, markets } from '../../actors/feeds/markets.ts';
import { normalize } from '../../actors/normalize.ts';
import { type Config, loadConfig } from '../../configs/load.ts';
import { type StageOptions, stageOptions } from '../../runtime/options.ts';
import { sampleResponses } from '../../runtime/recordings.ts';

/** What the shipped files say, with no variable set. */
export function shippedConfig(): Config {
  const loaded = loadConfig({}, markets);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings));
  return loaded.config;
}

/** Options of all stages as the shipped files give them. */
export function testOptions(): StageOptions {
  return stageOptions(shippedConfig(), markets);
}

/** Every tick of the sample, in the order in which it is replayed. */
export async function* sampleTicks(): AsyncIterable<Tick> {
  const options = testOptions().normalize;
  for await (const response of sampleResponses('test')) {
    for (const record of findFeed(response)?.parse(response).records ?? []) {
      const result = normalize(new TextEncoder().encode(JSON.stringify(record)), response.takenMs, options);
      if (result.kind === 'tick') yield result.tick;
    }
  }
}
