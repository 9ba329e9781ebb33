// `bun run ops connectors …`: what operators do with connectors from a shell. The configuration is read as a
// start reads it; a running process is asked by its routes; `test` asks the operator itself, at the pace that
// all processes of this machine keep together.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Environment, readEnvironment } from '../../configs/environment.ts';
import { processVariables } from '../../configs/load.ts';
import { urlOf } from '../ports.ts';
import { EXIT_CONFIG, printRefusal, refusalOf } from '../startup.ts';
import { UsageError } from './arguments.ts';
import { type Entry, entryView, type Inventory, readInventory } from './connectors/inventory.ts';
import { infoLines, listLines, trialLines, verdictLines } from './connectors/print.ts';
import { switchConnector } from './connectors/remote.ts';
import { runTrials, Untried } from './connectors/trials.ts';
import { readWish, type Wish } from './connectors/wish.ts';

const USAGE = `usage: bun run ops connectors <command> [name] [options]

  list                  every connector of connectors.yaml: state, market, feeds
  info NAME             what it follows, where, how often
  validate NAME         checks its section; validate-all checks every one
  index [--out FILE]    writes all of it as JSON, invalid ones with their problems
                        (default: connectors_index.json in DATA_DIR)
  test NAME             asks the operator for what the connector's first feed would ask first, parses and
                        normalizes it, and says rows and latency; nothing is kept
    --feed FEED         that feed instead
    --offline           reads the bundled recordings of its market; --file PATH: that recording
  enable NAME           switches it on in the running process
  disable NAME          switches it off; what is in flight finishes
    --reason TEXT       why; it is remembered and shown
    --url URL           of the process (default: HOST with PORT_CONNECTORS, then PORT_NORMALIZATION)
  ADMIN_TOKEN is sent along when it is set
  --json                one JSON document on standard output
CONFIG_DIR says where connectors.yaml is.
Exit: 0 done, valid, passed; 1 not so; 64 wrong usage; 78 the environment or the configuration is wrong.`;

const EXIT_USAGE = 64;

async function main(wish: Wish): Promise<number> {
  const { environment, findings } = readEnvironment(processVariables());
  if (findings.length > 0) {
    const hint = 'the environment is wrong: correct it and try again';
    await printRefusal({ check: 'configuration', hint, findings });
    return EXIT_CONFIG;
  }
  const { command, name } = wish;
  if (command === 'enable' || command === 'disable') {
    const remote = { urls: urlsOf(wish, environment), adminToken: environment.adminToken };
    const answered = await switchConnector(remote, name ?? '', command, wish.reason);
    if (!answered.ok) return failed(answered.why);
    return say(wish, answered.body, [`${name} is ${command}d`], 0);
  }
  const inventory = readInventory(environment.configDir);
  const { entries, problems } = inventory;
  if (name === null) return all(wish, inventory, environment.dataDir);
  if (problems.length > 0) return failed(problems.join('\n'));
  const entry = entries.find((each) => each.name === name);
  if (entry === undefined) {
    return failed(`no connector '${name}' in connectors.yaml; known are ${names(entries)}`);
  }
  const isValid = entry.problems.length === 0;
  if (command === 'info') return say(wish, entryView(entry), infoLines(entry), 0);
  if (command === 'validate') return say(wish, entryView(entry), verdictLines(entry), isValid ? 0 : 1);
  if (entry.plan === null) return failed(verdictLines(entry).join('\n'));
  const trials = await runTrials(entry.plan, wish, processVariables());
  const passed = trials.length > 0 && trials.every((each) => each.passed);
  return say(wish, { passed, trials }, trials.flatMap(trialLines), passed ? 0 : 1);
}

/** Commands that are about every connector. */
function all(wish: Wish, inventory: Inventory, dataDir: string): number {
  const { entries, problems } = inventory;
  const isValid = problems.length === 0 && entries.every((each) => each.problems.length === 0);
  const view = { problems, connectors: entries.map(entryView) };
  if (wish.command === 'list') return say(wish, view, listLines(inventory), 0);
  if (wish.command === 'validate-all') {
    return say(wish, view, [...problems, ...entries.flatMap(verdictLines)], isValid ? 0 : 1);
  }
  const path = wish.out ?? join(dataDir, 'connectors_index.json');
  writeWhole(path, `${JSON.stringify(view, null, 2)}\n`);
  const invalid = entries.filter((each) => each.problems.length > 0);
  const count = `${entries.length} connectors, ${invalid.length} of them invalid`;
  return say(wish, { path, ...view }, [`${path}: ${count}`, ...invalid.flatMap(verdictLines)], 0);
}

/** Readers see the old index or the new one, never a half. */
function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function say({ json }: Wish, view: unknown, lines: readonly string[], exitCode: number): number {
  console.log(json ? JSON.stringify(view) : lines.join('\n'));
  return exitCode;
}

function failed(why: string): number {
  console.error(why);
  return 1;
}

function names(entries: readonly Entry[]): string {
  return entries.map((each) => each.name).join(', ');
}

/** Connectors have a port of their own where they run apart; in a whole process every port answers. */
function urlsOf({ url }: Wish, { host, ports }: Environment): string[] {
  if (url !== null) return [url.replace(/\/$/, '')];
  return [ports.connectors, ports.normalization].map((port) => urlOf(reachable(host), port));
}

/** A port that is open to all is asked on this machine. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

try {
  const [topic, ...words] = process.argv.slice(2).map((word) => (word === '-h' ? '--help' : word));
  if (topic !== undefined && topic !== 'connectors' && topic !== '--help') {
    throw new UsageError(`unknown: '${topic}'; expected connectors`);
  }
  const wish = topic === 'connectors' ? readWish(words) : null;
  if (wish === null) console.log(USAGE);
  else process.exitCode = await main(wish);
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exitCode = EXIT_USAGE;
  } else if (error instanceof Untried) process.exitCode = failed(error.message);
  else {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    await printRefusal(refusal);
    process.exitCode = EXIT_CONFIG;
  }
}
