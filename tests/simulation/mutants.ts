// Defects planted in the product's source, one at a time, in a copy of the tree: what the simulator must
// find. A checker that never fails counts for nothing. The product itself knows nothing of them.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { FaultName } from './faults.ts';

export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The faults that bring it to light most often; without: as each seed has them. */
  readonly faults?: readonly FaultName[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'input is acknowledged before the sink has it',
    file: 'runtime/pipeline.ts',
    find: 'refused: await writerOf(topic).write(batch) })',
    replace: 'refused: (void writerOf(topic).write(batch).catch(() => {}), []) })',
  },
  {
    name: 'versions of one instant are not told apart',
    file: 'actors/domain/observation.ts',
    find: 'return a.publication - b.publication || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0);',
    replace: 'return a.publication - b.publication || (a.hash === b.hash ? 0 : -1);',
  },
  {
    name: 'a fenced commit counts as done',
    file: 'actors/router.ts',
    find: "if (outcome === 'fenced') return stopped(state, 'fenced: another member owns the partition');",
    replace: '',
  },
  {
    name: 'a fenced partition is never taken up again',
    file: 'runtime/partition.ts',
    find: 'if (!draining) this.#ended.fenced();',
    replace: '',
  },
  {
    name: 'an idle actor is given up with records in hand',
    file: 'runtime/passivation.ts',
    find: 'inHand.size > 0 || ',
    replace: '',
  },
  {
    name: 'what goes to rest is thrown away',
    file: 'runtime/directory.ts',
    find: 'this.#owners.get(slotKey)?.resting.put(resident.id, all);',
    replace: 'void [slotKey, all];',
  },
  {
    name: 'an aborted commit counts as done',
    file: 'actors/router.ts',
    find: "if (outcome === 'aborted') return backOff(state, 'the commit was aborted');",
    replace: '',
  },
  {
    name: 'a token names the partition alone',
    file: 'runtime/projection-writer.ts',
    find: 'token: spans.map(token).join(',
    replace:
      'token: spans.map(({ batch, from, to }) => [batch.topic, batch.partition, to - from].join()).join(',
  },
  {
    name: 'an insert takes all that waits',
    file: 'runtime/projection-writer.ts',
    find: 'if (group.length > 0 && rows + first.batch.count > this.#settings.rowsMax) return group;',
    replace: '',
  },
  {
    name: 'what routers that are gone left goes on waiting',
    file: 'runtime/projection-writer.ts',
    find: 'if (left >= 0) for (',
    replace: 'if (left > 1_000_000) for (',
  },
  {
    name: 'a bar that ends at the watermark is not final',
    file: 'actors/aggregation-fold.ts',
    find: 'const final = reach.watermarkMs >= bounds.endMs;',
    replace: 'const final = reach.watermarkMs > bounds.endMs;',
  },
  {
    name: 'an actor that crashed starts with nothing',
    file: 'runtime/directory.ts',
    find: 'for (const [slotKey, slot] of resident.slots) resident.address.tell(',
    replace: 'for (const [slotKey, slot] of [...resident.slots].slice(1)) resident.address.tell(',
  },
  {
    name: 'nothing is sent again to an actor that came back',
    file: 'runtime/directory.ts',
    find: 'this.#owners.get(slotKey)?.respawned(resident.id);',
    replace: 'void slotKey;',
  },
  {
    name: 'a restore trusts the committed offset alone',
    file: 'runtime/restore.ts',
    find: 'const position = stored ?? (await member.committed(of));',
    replace: 'const position = await member.committed(of);',
  },
  {
    name: 'a batch that failed is passed over',
    file: 'actors/router.ts',
    find: 'return begin(state, new Work(work.batch, work.nowMs, settings, work.released), settings);',
    replace: 'return next({ ...state, position: work.batch.nextOffset });',
  },
  {
    name: 'a connector forgets how far a response was appended',
    file: 'runtime/replay-source.ts',
    find: 'parsed, done: cursor?.done ?? 0 };',
    replace: 'parsed, done: 0 };',
  },
  {
    name: 'a connector leaves out a record between two chunks',
    file: 'actors/connector.ts',
    find: 'const cursor = { ...current.cursor, done: from + records.length };',
    replace:
      'const done = Math.min(from + records.length + 1, current.cursor.total);\n' +
      'const cursor = { ...current.cursor, done };',
  },
  {
    name: 'the calendar reaches the first partition alone',
    file: 'runtime/normalization.ts',
    find: "value: text, partition: 'every' }",
    replace: 'value: text, partition: 0 }',
  },
  {
    name: 'the rebuilder does not wait for silver',
    file: 'runtime/rebuilder.ts',
    find: 'if (touched.size > 0) await covered(ports);',
    replace: '',
  },
  {
    name: 'what is older than the window is dropped',
    file: 'actors/aggregate.ts',
    find: "emissions.push({ to: 'rebuild', value: decoder.decode(value) });",
    replace: '',
  },
  {
    name: 'a version that comes late stands',
    file: 'actors/domain/observation.ts',
    find: 'versions: [...versions.slice(0, at), version, ...versions.slice(at)] };',
    replace: 'versions: [...versions, version] };',
  },
  {
    name: 'final rows have the version of those before',
    file: 'actors/aggregation-emit.ts',
    find: 'const version = rowVersion(this.#options.epoch, bar.revision, final);',
    replace: 'const version = rowVersion(this.#options.epoch, bar.revision, false);',
  },
  {
    name: 'a day has 24 hours always',
    file: 'actors/domain/operating-day.ts',
    find: 'const endMs = plain.add({ days: 1 }).toZonedDateTime(zone).epochMilliseconds;',
    replace: 'const endMs = startMs + DAY_MS;',
  },
  {
    name: 'a refused record leaves no dead letter',
    file: 'runtime/normalization.ts',
    find: 'refused.push({ offset: batch.offset(index), rejection: found.rejection });',
    replace: '',
  },
  {
    name: 'a partition that is added waits for nobody',
    file: 'runtime/start-state.ts',
    find: 'if (awaits.length > 0) return { awaits };',
    replace: '',
  },
  {
    name: 'an instrument that moves leaves its state behind',
    file: 'actors/hand-over.ts',
    find: 'quarantined ? movedHome(value, partition) : value, partition: place });',
    replace: 'null, partition: place });',
  },
  {
    name: 'the old partition keeps what it hands over',
    file: 'actors/hand-over.ts',
    find: 'changes.push({ key, value: null });',
    replace: '',
    faults: ['increase'],
  },
  {
    name: 'one added partition alone gets the marks',
    file: 'actors/hand-over.ts',
    find: 'for (let to = step.from; to < step.to; to += 1) {',
    replace: 'for (let to = step.from; to < step.from + 1; to += 1) {',
    faults: ['increase'],
  },
  {
    name: 'one mark is enough for a partition that is added',
    file: 'actors/hand-over.ts',
    find: 'return Array.from({ length: step.from }, (_, from) => from).filter((from) => !there.has(from));',
    replace: 'return there.size > 0 ? [] : [0];',
    faults: ['increase', 'rebalance', 'crash'],
  },
  {
    name: 'the actor keeps what moved away',
    file: 'runtime/partition.ts',
    find: 'if (slotKey !== null) this.#ports.directory.forget(slotKey, instruments);',
    replace: '',
    faults: ['increase'],
  },
  {
    name: 'the router goes on waking what moved away',
    file: 'actors/router-release.ts',
    find: 'instruments: forgetInstruments(state.instruments, moved),',
    replace: 'instruments: state.instruments,',
    faults: ['increase', 'late'],
  },
  {
    name: 'a quarantine stays where its instrument was',
    file: 'actors/hand-over.ts',
    find: "key.slice(2, key.indexOf('\\u0000')) : quarantinedId(key);",
    replace: "key.slice(2, key.indexOf('\\u0000')) : null;",
    faults: ['increase', 'actor-crash', 'slow-release'],
  },
  {
    name: 'what moved does not know where its records are parked',
    file: 'actors/hand-over.ts',
    find: 'quarantined ? movedHome(value, partition) : value, partition: place });',
    replace: 'value, partition: place });',
    faults: ['increase', 'actor-crash', 'slow-release'],
  },
  {
    name: 'the router keeps the quarantine of what moved',
    file: 'actors/router-release.ts',
    find: 'quarantines: new Map([...state.quarantines].filter(([id]) => !moved.has(id))),',
    replace: 'quarantines: state.quarantines,',
    faults: ['increase', 'actor-crash', 'slow-release'],
  },
  {
    name: 'a release with nothing parked brings nothing',
    file: 'actors/router-shard.ts',
    find: 'if (work.released !== null && work.groups.size === 0) send(work.released, []);',
    replace: '',
    faults: ['actor-crash'],
  },
  {
    name: 'state is settled before its commit is in',
    file: 'runtime/partition.ts',
    find: 'const answer = this.#member.commit(',
    replace:
      'if (this.#state.work !== null) this.#settle(this.#state.work.candidates);\n' +
      'const answer = this.#member.commit(',
  },
  {
    name: 'a damaged state starts with nothing',
    file: 'runtime/recovery.ts',
    find: 'for (let at = await log.offsetAt(of, 0); at < until; ) {',
    replace: 'for (let at = until; at < until; ) {',
  },
  {
    name: 'damage is not noticed',
    file: 'actors/domain/sealed.ts',
    find: 'if (stored !== checksum(version, body))',
    replace: 'if (stored === null)',
  },
  {
    name: 'an answer is kept though its rows changed',
    file: 'runtime/http/answer-cache.ts',
    find: 'this.#owed[kind].add(instruments);',
    replace: '',
  },
  {
    name: 'answers about two sizes of bars have one name',
    file: 'sinks/cache-keys.ts',
    find: "const size = kind === 'ohlc' ? barSize : type;",
    replace: 'const size = type;',
  },
  {
    name: 'a look shows a bar of a part of its observations',
    file: 'actors/aggregation-inspect.ts',
    find: 'open.between(bounds.startMs, bounds.endMs)',
    replace: 'recent.filter((each) => each.startMs >= bounds.startMs && each.startMs < bounds.endMs)',
  },
];

export const root = resolve(import.meta.dir, '../..');

export interface Find {
  /** The first seed that fails; null: none did. */
  readonly seed: number | null;
  readonly seeds: number;
  readonly broken: readonly string[];
}

export interface Said {
  readonly code: number;
  readonly lines: readonly string[];
  readonly complaint: string;
}

/** A copy of the tree in which one defect at a time is planted. `dispose` removes it. */
export class MutationBench {
  readonly #dir = mkdtempSync(join(tmpdir(), 'carbon-mutants-'));

  constructor() {
    for (const each of ['actors', 'configs', 'runtime', 'sinks', 'tests', 'package.json', 'tsconfig.json'])
      cpSync(join(root, each), join(this.#dir, each), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(this.#dir, 'node_modules'));
  }

  /** Runs the simulator on the tree with a defect in it. */
  async run(mutant: Mutant, ...words: readonly (string | number)[]): Promise<Said> {
    const file = join(this.#dir, mutant.file);
    const sound = readFileSync(file, 'utf8');
    const parts = sound.split(mutant.find);
    const fits = parts.length - 1;
    if (fits !== 1) throw new Error(`'${mutant.name}' fits ${mutant.file} ${fits} times`);
    writeFileSync(file, parts.join(mutant.replace));
    try {
      return await simulator(this.#dir, ...words);
    } finally {
      writeFileSync(file, sound);
    }
  }

  /** The first seed from `first` on that finds it. */
  async find(mutant: Mutant, first: number, seeds: number, records: number): Promise<Find> {
    const wish = ['--seed', first, '--seeds', seeds, '--records', records];
    const forced = mutant.faults === undefined ? [] : ['--faults', mutant.faults.join()];
    const { lines, complaint } = await this.run(mutant, ...wish, ...forced, '--first', '--json');
    const line = lines.at(-1) ?? '';
    if (!line.startsWith('{')) throw new Error(`the simulator gave no result: ${complaint.slice(0, 1_000)}`);
    const result: { seeds: number; failed: { seed: number; broken: string[] }[] } = JSON.parse(line);
    const [failed] = result.failed;
    return { seed: failed?.seed ?? null, seeds: result.seeds, broken: failed?.broken ?? [] };
  }

  dispose(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** `bun run sim` in a tree. */
export async function simulator(dir: string, ...words: readonly (string | number)[]): Promise<Said> {
  const child = Bun.spawn([process.execPath, 'tests/simulation/sim.ts', ...words.map(String)], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH },
  });
  const [said, complaint] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const lines = said.split('\n').filter((line) => line !== '');
  return { code: await child.exited, lines, complaint };
}
