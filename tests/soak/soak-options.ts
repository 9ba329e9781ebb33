// The words of `bun run test:soak`: what may be asked of it, and what is refused with exit code 64.

import { parseArgs } from 'node:util';
import { SECTIONS, type SectionName, sectionNamed } from './sections.ts';

const USAGE = `usage: bun run test:soak <section> [--count N] [--seed N] [--part NAME] [--minutes N]
                              [--readme] [--json]

Kills, stops, cuts and moves the pipeline on real servers, in rounds, while a market publishes; after each
round one judge holds gold against the oracle, the topics against a foreign reader, and the books.
Stopped (Ctrl-C), killed or out of time, the same command goes on after the last round that was judged.
  --count N     so many of the section's first part, and of the others in proportion
  --seed N      of the first round; unset: a fresh one, or that of the run to go on with
  --part NAME   this part of the section alone; --count then tells of it
  --minutes N   no round begins that would end later (40)
  --readme      write the result into README.md
  --json        print the result as one line of JSON, and nothing else
Sections: ${Object.entries(SECTIONS)
  .map(([name, parts]) => `${name} (${parts.map(({ what, goal }) => `${goal} ${what}`).join(', ')})`)
  .join('; ')}`;

const EXIT_USAGE = 64;
const MINUTES = 60_000;

export interface Options {
  readonly section: SectionName;
  readonly count: number | null;
  /** Null: any. */
  readonly seed: number | null;
  readonly part: string | null;
  readonly millis: number;
  readonly readme: boolean;
  readonly json: boolean;
}

function refuse(sentence: string): never {
  console.error(sentence);
  process.exit(EXIT_USAGE);
}

function whole(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const found = Number(text);
  if (!Number.isSafeInteger(found) || found < 1) refuse(`--${name} takes a whole number, not '${text}'`);
  return found;
}

export function optionsOf(words: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const named = { count: text, seed: text, part: text, minutes: text };
  const options = { ...named, readme: flag, json: flag, help: { ...flag, short: 'h' } };
  try {
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const section = sectionNamed(positionals[0]);
    if (section === null || positionals.length > 1) return refuse(USAGE);
    const part = values.part ?? null;
    const names = SECTIONS[section].map(({ what }) => what);
    if (part !== null && !names.some((each) => each === part)) {
      refuse(`'${part}' is no part of ${section}; its parts: ${names.join(', ')}`);
    }
    return {
      section,
      count: whole('count', values.count),
      seed: whole('seed', values.seed),
      part,
      millis: (whole('minutes', values.minutes) ?? 40) * MINUTES,
      readme: values.readme,
      json: values.json,
    };
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  }
}
