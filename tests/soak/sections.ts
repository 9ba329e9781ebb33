// The sections of the soak: what each does to the pipeline, how often in all, and how often in one round.

import { clickhouseAway } from './away.ts';
import type { Bed } from './bed.ts';
import { brokersKilled, proxied, singleRestarted } from './broker.ts';
import { killed } from './kill.ts';
import { paused } from './pause.ts';
import { rolled } from './rolling.ts';
import { changed, increased, laddered, widened } from './scale.ts';
import { clickhouseKilled, redisTroubled, repliesLost } from './sinks.ts';
import type { Tally } from './tally.ts';

export interface Part {
  /** As it stands in results. */
  readonly what: string;
  /** How often in all. */
  readonly goal: number;
  /** How often in one round, which is judged at its end. */
  readonly round: number;
  readonly nodes: 1 | 3;
  readonly run: (bed: Bed, count: number, tally: Tally) => Promise<void>;
}

export type SectionName = 'kill' | 'pause' | 'broker' | 'scale' | 'sinks' | 'rolling';

export const SECTIONS: Readonly<Record<SectionName, readonly Part[]>> = {
  kill: [{ what: 'SIGKILLs', goal: 200, round: 40, nodes: 1, run: killed }],
  pause: [{ what: 'SIGSTOPs', goal: 30, round: 15, nodes: 1, run: paused }],
  broker: [
    { what: 'SIGKILLs of a broker of three', goal: 50, round: 15, nodes: 3, run: brokersKilled },
    { what: 'restarts of a single broker', goal: 10, round: 10, nodes: 1, run: singleRestarted },
    { what: 'troubles on the way to a broker', goal: 50, round: 25, nodes: 1, run: proxied },
  ],
  scale: [
    { what: 'changes of members', goal: 100, round: 25, nodes: 1, run: changed },
    { what: 'times 1 → 5 → 1 members', goal: 1, round: 1, nodes: 1, run: laddered },
    { what: 'times PARALLELISM 1 → 8', goal: 1, round: 1, nodes: 1, run: widened },
    { what: 'partition increases', goal: 20, round: 10, nodes: 1, run: increased },
  ],
  sinks: [
    { what: 'SIGKILLs of ClickHouse', goal: 20, round: 20, nodes: 1, run: clickhouseKilled },
    { what: 'replies lost after the write', goal: 100, round: 50, nodes: 1, run: repliesLost },
    { what: 'minutes without ClickHouse', goal: 20, round: 60, nodes: 1, run: clickhouseAway },
    { what: 'SIGKILLs and flushes of Redis', goal: 20, round: 20, nodes: 1, run: redisTroubled },
  ],
  rolling: [{ what: 'rolling restarts', goal: 10, round: 5, nodes: 1, run: rolled }],
};

export function sectionNamed(name: string | undefined): SectionName | null {
  switch (name) {
    case 'kill':
    case 'pause':
    case 'broker':
    case 'scale':
    case 'sinks':
    case 'rolling':
      return name;
    default:
      return null;
  }
}

/** The parts to run: those of the section, or the one that is named, scaled to `count` of the first. */
export function partsOf(section: SectionName, part: string | null, count: number | null): readonly Part[] {
  const found = SECTIONS[section].filter(({ what }) => part === null || what === part);
  const scale = count === null ? 1 : count / (found[0]?.goal ?? 1);
  return found.map((each) => ({ ...each, goal: Math.ceil(each.goal * scale) }));
}
