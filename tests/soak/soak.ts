// `bun run test:soak`: one section of the soak, round by round, kept after each so that it can be stopped. A
// round that fails is printed with the command that repeats it, and the others go on.

import { kafkaMissing } from '../support/kafka.ts';
import { appendResult, KeptSoak, SOAK_DIR } from './kept-soak.ts';
import { round } from './round.ts';
import { type Part, partsOf } from './sections.ts';
import { optionsOf } from './soak-options.ts';
import { intoReadme, type Result, sentence } from './soak-report.ts';

const EXIT_UNAVAILABLE = 69;
const PROGRESS_MS = 60_000;

function commit(): string {
  const found = Bun.spawnSync(['git', 'rev-parse', '--short', 'HEAD'], { cwd: import.meta.dir });
  return found.success ? found.stdout.toString().trim() : 'unknown';
}

/** The first signal ends the round in hand, the second the process. */
function stopOnSignal(): AbortSignal {
  const asked = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => (asked.signal.aborted ? process.exit(130) : asked.abort()));
  }
  return asked.signal;
}

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2));
  const missing = kafkaMissing();
  if (missing !== null) {
    console.error(missing);
    process.exit(EXIT_UNAVAILABLE);
  }
  const { section, part, count, millis, json } = options;
  const say = (line: string): void =>
    void (json || console.log(`${new Date().toISOString().slice(11, 19)} ${line}`));
  const kept = new KeptSoak(SOAK_DIR, { section, count }, options.seed);
  const { tally, seed } = kept;
  const parts = partsOf(section, count === null ? null : part, count);
  const share = ({ what, goal }: Part): number => (tally.reached[what] ?? 0) / goal;
  say(`soak ${section}, seed ${seed}, commit ${commit()}`);
  if (tally.rounds > 0) say(`goes on after ${tally.rounds} rounds`);
  const stop = stopOnSignal();
  const fromMs = performance.now();
  let roundMsMax = 0;
  const open = (): Part[] => parts.filter((each) => share(each) < 1);
  /** The part that is least far. */
  const next = (): Part | undefined =>
    open()
      .filter(({ what }) => part === null || what === part)
      .sort((a, b) => share(a) - share(b))[0];
  const inTime = (): boolean => performance.now() - fromMs + roundMsMax < millis;
  for (let at = next(); at !== undefined && !stop.aborted && inTime(); at = next()) {
    const roundFromMs = performance.now();
    const times = Math.min(at.round, at.goal - (tally.reached[at.what] ?? 0));
    const roundSeed = seed + tally.rounds;
    const ticker = setInterval(() => say(`  ${JSON.stringify(tally.underWay)}`), PROGRESS_MS);
    const verdict = await round(at, roundSeed, times, tally, stop);
    clearInterval(ticker);
    if (verdict === null) break;
    roundMsMax = Math.max(roundMsMax, performance.now() - roundFromMs);
    kept.save(commit());
    say(`${tally.reached[at.what] ?? 0} of ${at.goal} ${at.what}, ${verdict.ticks} ticks in this round`);
    if (verdict.faults.length === 0) continue;
    say(
      `FAILED; again: bun run test:soak ${section} --part '${at.what}' --seed ${roundSeed} --count ${times}`,
    );
    for (const fault of verdict.faults) say(`  ${fault}`);
  }
  const { rounds, ticks, failed, reached, told } = tally;
  const date = new Date().toISOString().slice(0, 10);
  const counts = { rounds, ticks, millis: tally.millis, failed, reached, told };
  const result: Result = { section, date, seed, commits: [...kept.commits], parts, ...counts };
  if (json) console.log(JSON.stringify(result));
  else say(sentence(result));
  appendResult(SOAK_DIR, result);
  if (options.readme) intoReadme(result);
  if (open().length === 0) kept.forget();
  process.exit(failed.length > 0 ? 1 : 0);
}

await main();
