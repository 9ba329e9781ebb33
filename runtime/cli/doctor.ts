// `bun run doctor`: says whether the product would start here and what is in its way, a line each, and
// changes nothing. What a start would refuse with 78 it leaves with 78, too.

import { processVariables } from '../../configs/load.ts';
import type { Check, Level, Line, Patient } from '../doctor/check.ts';
import { CHECKS } from '../doctor/checks.ts';
import { examine } from '../doctor/configuration.ts';
import { EXIT_CONFIG } from '../startup.ts';
import { parseArguments, UsageError } from './arguments.ts';

const USAGE = `usage: bun run doctor [--config] [--json]

Checks what a start needs, with the variables that are set now: the configuration files (file:line:column),
the environment and its secrets, Bun, the data and log directory (writable, not held, free space), the ports,
and Kafka, ClickHouse and Redis (the embedded engine is started for a moment; servers are asked).
  --config   only the configuration: files, environment and secrets (CONFIG_DIR says where the files are)
  --json     one JSON document on stdout: { status, exit_code, checks: [{ level, check, message }] }
Lines begin with ok, warn (it starts all the same) or FAIL.
Exit: 0 nothing failed; 1 something outside of the configuration failed; 64 wrong usage;
78 the configuration, the environment or a secret is wrong.`;

const EXIT_USAGE = 64;
const MARKS: Readonly<Record<Level, string>> = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };

interface Wish {
  readonly configOnly: boolean;
  readonly json: boolean;
}

function readWish(words: readonly string[]): Wish | null {
  const { rest, flags } = parseArguments(words, { config: false, json: false, help: false });
  if (flags.has('help')) return null;
  if (rest.length > 0) throw new UsageError(`unexpected '${rest[0]}'`);
  return { configOnly: flags.has('config'), json: flags.has('json') };
}

async function main({ configOnly, json }: Wish): Promise<number> {
  const told: Line[] = [];
  const tell = (lines: readonly Line[]): void => {
    told.push(...lines);
    if (json) return;
    for (const { level, check, message } of lines) {
      console.log(`${MARKS[level]}  ${check.padEnd(14)}  ${message}`);
    }
  };
  const { patient, lines } = examine(processVariables());
  tell(lines);
  const isWrong = lines.some(({ level }) => level === 'fail');
  if (!configOnly) for (const check of CHECKS) tell(await look(check, patient));
  const failures = told.filter(({ level }) => level === 'fail').length;
  const exitCode = isWrong ? EXIT_CONFIG : failures > 0 ? 1 : 0;
  if (json) {
    const status = failures > 0 ? 'fail' : told.some(({ level }) => level === 'warn') ? 'warn' : 'ok';
    console.log(JSON.stringify({ status, exit_code: exitCode, checks: told }));
  } else console.log(summary(failures));
  return exitCode;
}

async function look(check: Check, patient: Patient): Promise<readonly Line[]> {
  const wrong = check.needs.filter((name) => patient.wrong.has(name));
  if (wrong.length === 0) return check.run(patient);
  return [{ level: 'warn', check: check.name, message: `not checked: ${wrong.join(', ')} is wrong` }];
}

function summary(failures: number): string {
  if (failures === 0) return 'Nothing is in the way of a start.';
  return failures === 1
    ? '1 thing is in the way of a start.'
    : `${failures} things are in the way of a start.`;
}

try {
  const wish = readWish(process.argv.slice(2).map((word) => (word === '-h' ? '--help' : word)));
  if (wish === null) console.log(USAGE);
  else process.exitCode = await main(wish);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = EXIT_USAGE;
}
