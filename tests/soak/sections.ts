// The sections of the soak: what each does to the pipeline, how often in all, and how often in one round.

import type { Bed } from './bed.ts';
import { killed } from './kill.ts';
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

export type SectionName = 'kill';

export const SECTIONS: Readonly<Record<SectionName, readonly Part[]>> = {
  kill: [{ what: 'SIGKILLs', goal: 200, round: 20, nodes: 1, run: killed }],
};

export function sectionNamed(name: string | undefined): SectionName | null {
  switch (name) {
    case 'kill':
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
