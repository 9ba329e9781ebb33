// What the groups of a pipeline still have to read, and what each of these partitions waits for: said by a
// test that waited for them in vain.

import type { Pipeline } from '../../runtime/pipeline.ts';
import { standingText } from '../../runtime/standing.ts';

/** One line a partition that has a lag. */
export async function standings({ platform }: Pipeline): Promise<string[]> {
  const lines: string[] = [];
  for (const [name, group] of platform.groups) {
    for (const { topic, partition, committed, lag } of await group.lag()) {
      if (lag <= 0) continue;
      const standing = group.standing({ topic, partition });
      const where = standing === null ? 'not ours' : standingText(standing);
      lines.push(`${name} ${topic}/${partition} at ${committed}, ${lag} behind: ${where}`);
    }
  }
  return lines;
}

/** Rejects as `work` does, and with what stands still then; after `boundMs` as well. */
export async function orStandings<T>(of: Pipeline, boundMs: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not within ${boundMs} ms`)), boundMs);
  try {
    return await Promise.race([work, late.promise]);
  } catch (cause) {
    const lines = await standings(of);
    throw new Error(`${String(cause)}\n${lines.join('\n')}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
