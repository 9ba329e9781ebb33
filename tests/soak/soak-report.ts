// The result of a section in words, and the lines of the README that the command itself keeps: the last
// result of each section, with its date, seed and commit, and how far it came when it did not reach its end.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Part } from './sections.ts';
import type { Failed } from './tally.ts';

export interface Result {
  readonly section: string;
  /** Such as `2026-11-25`. */
  readonly date: string;
  readonly seed: number;
  /** That its rounds were played on. */
  readonly commits: readonly string[];
  readonly parts: readonly Pick<Part, 'what' | 'goal'>[];
  readonly reached: Readonly<Record<string, number>>;
  readonly told: Readonly<Record<string, number>>;
  readonly rounds: number;
  readonly ticks: number;
  readonly millis: number;
  readonly failed: readonly Failed[];
}

const [BEGIN, END] = ['<!-- soak: written by `bun run test:soak --readme` -->', '<!-- /soak -->'];
const WIDTH = 120;

export function sentence(of: Result): string {
  const reached = of.parts.map(({ what, goal }) => {
    const count = of.reached[what] ?? 0;
    return count < goal ? `${count} of ${goal} ${what}` : `${count} ${what}`;
  });
  const told = Object.entries(of.told)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `${what} ${count}`);
  const about = told.length === 0 ? '' : ` (${told.join(', ')})`;
  const rounds = `${of.rounds} rounds judged, ${of.failed.length} failed`;
  const cost = `${of.ticks} ticks, ${Math.round(of.millis / 60_000)} minutes`;
  return `${reached.join(', ')}${about}; ${rounds}; ${cost}`;
}

/** Replaces the section's line between the marks; throws when they are not there. */
export function readmeWith(text: string, result: Result): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the README has no '${BEGIN}' … '${END}'`);
  const { section, date, seed, commits } = result;
  const entries = text
    .slice(from + BEGIN.length, to)
    .split(/\n(?=- )/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '' && !entry.startsWith(`- \`${section}\``));
  entries.push(
    wrapped(`- \`${section}\`, ${date}, seed ${seed}, commit ${commits.join(', ')}: ${sentence(result)}.`),
  );
  return `${text.slice(0, from)}${BEGIN}\n${entries.sort().join('\n')}\n${text.slice(to)}`;
}

function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(lines.length === 0 ? word : `  ${word}`);
  }
  return lines.join('\n');
}

export function intoReadme(result: Result): void {
  const file = join(resolve(import.meta.dir, '../..'), 'README.md');
  writeFileSync(file, readmeWith(readFileSync(file, 'utf8'), result));
}
