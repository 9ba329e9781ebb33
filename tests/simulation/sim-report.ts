// The result of a run of many seeds in words: for the terminal, and for the section of the README that the
// command itself keeps.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Summary } from './totals.ts';

export interface Result extends Summary {
  readonly first: number;
  readonly commit: string;
  /** Versions of observations in each run, and seeds, as asked for. */
  readonly wanted: number;
  readonly asked: number;
}

const [BEGIN, END] = ['<!-- sim: written by `bun run sim --readme` -->', '<!-- /sim -->'];
const WIDTH = 120;

export function sentences(of: Summary): readonly [string, string] {
  const faults = Object.entries(of.faults).map(([name, count]) => `${name} ${count}`);
  return [
    `${of.seeds} seeds, ${of.failures} failures, ${of.records} records, ${of.simulated_hours} ` +
      `simulated hours, ${of.seeds_per_minute} seeds a minute`,
    `faults: ${faults.join(', ') || 'none'}`,
  ];
}

/** Replaces what stands between the marks; throws when they are not there. */
export function readmeWith(text: string, { first, commit, wanted, asked, ...summary }: Result): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the README has no '${BEGIN}' … '${END}'`);
  const last = first + summary.seeds - 1;
  const [counts, faults] = sentences(summary);
  // One that was stopped says how far it came.
  const all = summary.seeds < asked ? counts.replace(' seeds', ` of ${asked} seeds`) : counts;
  const found = `Seeds ${first} to ${last} of ${wanted} records at commit ${commit}: ${all}; ${faults}.`;
  return `${text.slice(0, from)}${BEGIN}\n${wrapped(found)}\n${text.slice(to)}`;
}

function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}

export function intoReadme(result: Result): void {
  const file = join(resolve(import.meta.dir, '../..'), 'README.md');
  writeFileSync(file, readmeWith(readFileSync(file, 'utf8'), result));
}
