// The rows of the operators' runbook as tests: each is named by its ID, says what it used in place of the
// real thing and what it does not reach, and stands in a table at the end of the run.

import { test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const RUNBOOK = resolve(import.meta.dir, '../../../../shared/runbook.md');
/** Sections of this suite. */
const SECTIONS = 'ABCEFG';

export interface Row {
  /** Stand-ins and scaled durations. */
  readonly used?: string;
  /** What of the row this does not show, and where or when it is shown. */
  readonly without?: string;
  readonly boundMs?: number;
}

interface Shown extends Row {
  readonly title: string;
  state: 'not run' | 'passes' | 'FAILED';
  /** What was measured. */
  note: string;
}

const MINUTES = 60_000;
const rows = new Map<string, Shown>();
const laterRows = new Map<string, string>();

/** A row that is shown here. `work` may answer with what it measured. */
export function row(id: string, title: string, of: Row, work: () => Promise<string | undefined>): void {
  if (rows.has(id)) throw new Error(`${id} is there twice`);
  const shown: Shown = { ...of, title, state: 'not run', note: '' };
  rows.set(id, shown);
  const used = of.used === undefined ? '' : ` [${of.used}]`;
  const without = of.without === undefined ? '' : ` (not here: ${of.without})`;
  test(
    `${id} ${title}${used}${without}`,
    async () => {
      shown.state = 'FAILED';
      shown.note = (await work()) ?? '';
      shown.state = 'passes';
    },
    of.boundMs ?? 5 * MINUTES,
  );
}

/** A row that nothing here shows yet, and what it waits for. */
export function later(id: string, why: string): void {
  laterRows.set(id, why);
}

export function laterIds(): string[] {
  return [...laterRows.keys()].sort();
}

/** Every ID that stands in this suite. */
export function ids(): string[] {
  return [...rows.keys(), ...laterRows.keys()].sort();
}

/** Every ID of the runbook in these sections: `| A1 |`, and `/ F3 ` where one row has two. */
export function runbookIds(): string[] {
  const lines = readFileSync(RUNBOOK, 'utf8').split('\n');
  const found = lines.flatMap((line) => {
    const [, id] = /^\| ([A-Z]\d+) \|/.exec(line) ?? [];
    if (id === undefined) return [];
    const [, second] = / \/ ([A-Z]\d+) `/.exec(line) ?? [];
    return second === undefined ? [id] : [id, second];
  });
  return found.filter((id) => SECTIONS.includes(id.charAt(0))).sort();
}

const byId = (a: string, b: string): number =>
  a.charAt(0).localeCompare(b.charAt(0)) || Number(a.slice(1)) - Number(b.slice(1));

/** A line a row. */
export function table(): string {
  const lines = [...rows].map(([id, { state, without, title, note }]): [string, string] => {
    const verdict = state === 'passes' && without !== undefined ? 'as far as possible here' : state;
    const tail = [without === undefined ? '' : `not here: ${without}`, note].filter((each) => each !== '');
    return [id, `${verdict.padEnd(24)} ${[title, ...tail].join('; ')}`];
  });
  const others = [...laterRows].map(([id, why]): [string, string] => [id, `${'later'.padEnd(24)} ${why}`]);
  const all = [...lines, ...others].sort(([a], [b]) => byId(a, b));
  return all.map(([id, text]) => `${id.padEnd(4)} ${text}`).join('\n');
}
