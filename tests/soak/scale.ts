// Members come and go, in processes and in workers, and topics get more partitions, while the market
// publishes.

import { markets } from '../../actors/feeds/markets.ts';
import { partitionsOf } from '../../actors/layout.ts';
import { rawTopic, TOPIC } from '../../runtime/services.ts';
import type { Bed } from './bed.ts';
import type { Tally } from './tally.ts';

const MEMBERS_MAX = 5;
const WORKERS = [1, 2, 4, 8];
const GROWING = [TOPIC.ticks, TOPIC.enriched, ...markets.map(({ market }) => rawTopic(market)), TOPIC.bars];

/** One stays; others come, leave, and are killed. */
export async function changed(bed: Bed, count: number, tally: Tally): Promise<void> {
  const stays = bed.others();
  const others = bed.others({ dir: `${bed.dir}/others` });
  await bed.feed();
  await stays.join(1);
  for (let n = 0; n < count; n += 1) {
    await bed.progress('before a change');
    const before = { ...others.done };
    await others.change();
    for (const what of ['joins', 'leaves', 'kills', 'pauses'] as const) {
      if (others.done[what] > before[what]) tally.count(what);
    }
    tally.happened('changes of members');
  }
  await others.end();
  await bed.progress('with one alone');
  await stays.end();
}

export async function laddered(bed: Bed, count: number, tally: Tally): Promise<void> {
  const others = bed.others();
  await bed.feed();
  await others.join(1);
  for (let n = 0; n < count; n += 1) {
    while (others.living.length < MEMBERS_MAX) {
      await bed.progress(`of ${others.living.length} members`);
      await others.join(1);
    }
    while (others.living.length > 1) {
      await bed.progress(`of ${others.living.length} members`);
      await others.leave();
    }
    tally.happened('times 1 → 5 → 1 members');
  }
  await bed.progress('of the last member');
  await others.end();
}

export async function widened(bed: Bed, count: number, tally: Tally): Promise<void> {
  const others = bed.others();
  await bed.feed();
  for (let n = 0; n < count; n += 1) {
    for (const workers of WORKERS) {
      await others.join(workers, '', 'wide');
      await bed.progress(`of ${workers} workers`);
      await others.end();
    }
    tally.happened('times PARALLELISM 1 → 8');
  }
}

export async function increased(bed: Bed, count: number, tally: Tally): Promise<void> {
  const others = bed.others();
  await bed.feed();
  await others.join(1);
  await others.join(2);
  const sizes = new Map<string, number>();
  for (let n = 0; n < count; n += 1) {
    await bed.progress('before an increase');
    const topic = GROWING[n % GROWING.length] ?? TOPIC.ticks;
    const size = (sizes.get(topic) ?? 8) + 1 + Math.floor(bed.draw() * 2);
    sizes.set(topic, size);
    const words = ['--bootstrap-server', bed.server.brokers, '--alter', '--topic', topic];
    await bed.server.tool('TopicCommand', [...words, '--partitions', String(size)]);
    const opened = async (): Promise<boolean> => {
      const layout = await bed.log.layout(topic).catch(() => null);
      return layout !== null && partitionsOf(layout) >= size;
    };
    await bed.met(`${size} partitions of ${topic} in use`, opened, 3);
    tally.happened('partition increases');
  }
  await bed.progress('after the last increase');
  await others.end();
}
