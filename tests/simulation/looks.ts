// Somebody looks while the run goes on: at an instrument through the inspection view, and at its bars through
// the query cache, which all members share, which is small, and which is flushed at times. What was shown is
// kept and judged at the end: a look shows one committed state, an answer is one moment of the table, no
// older than what its own process had written when it was asked.

import { TOPIC } from '../../runtime/services.ts';
import type { GoldPage, GoldQuery, GoldRow } from '../../sinks/queries.ts';
import type { Cache } from '../../sinks/sink.ts';
import type { Member } from './member.ts';
import { seededDraw } from './seeded-host.ts';
import { type CacheFaults, simulatedCache } from './simulated-cache.ts';
import type { Row, SimulatedClickHouse } from './simulated-clickhouse.ts';
import type { Simulation } from './simulation.ts';
import { stored } from './stored-records.ts';
import type { World } from './world.ts';

interface Seen {
  readonly instrument: string;
  readonly size: string;
  readonly bar: Row;
}

interface Answer {
  readonly query: GoldQuery;
  readonly page: GoldPage;
  /** Rows that ClickHouse had taken when the member last heard that some of this instrument are in. */
  readonly ownWrites: number;
}

const SIZES = ['5M', '15M', '1H', '1D'] as const;
const [ENTRIES_MAX, LIMIT] = [6, 1_000];

export class Looks {
  readonly seen: Seen[] = [];
  readonly answers: Answer[] = [];
  readonly cache: Cache;
  readonly #world: World;
  readonly #clickhouse: SimulatedClickHouse;
  readonly #flushes: () => number;
  readonly #flushed: () => void;
  /** Its own: a look changes nothing of a run. */
  readonly #draw: () => number;

  constructor(
    seed: number,
    world: World,
    clickhouse: SimulatedClickHouse,
    flushes: () => number,
    flushed: () => void,
    faults: CacheFaults,
  ) {
    this.#world = world;
    this.#clickhouse = clickhouse;
    this.#flushes = flushes;
    this.#flushed = flushed;
    this.#draw = seededDraw(seed);
    this.cache = simulatedCache(world, this.#draw, ENTRIES_MAX, faults);
  }

  ask(members: readonly Member[]): void {
    const living = members.filter(({ alive, frozen, started }) => alive && !frozen && started);
    const one = living[Math.floor(this.#draw() * living.length)];
    const index = one?.pipeline.platform.directory.index;
    const ids = index?.markets().flatMap((market) => index.ids(market)) ?? [];
    const id = ids[Math.floor(this.#draw() * ids.length)];
    if (one === undefined || id === undefined) return;
    if (this.#draw() < this.#flushes()) {
      void this.cache.clear();
      this.#flushed();
    }
    const [market = '', run = '', location = ''] = id.split(':');
    void one.view.instruments(market, `${run}:${location}`).then((views) => {
      for (const view of views) this.#see(id, view);
    });
    this.#query(one, id, { market, run, location });
  }

  #see(instrument: string, view: unknown): void {
    const shown: { aggregation?: { bars?: Record<string, Row[]> } } = Object(view);
    for (const [size, bars] of Object.entries(shown.aggregation?.bars ?? {})) {
      for (const bar of bars) this.seen.push({ instrument, size, bar });
    }
  }

  #query(one: Member, id: string, of: Pick<GoldQuery, 'market' | 'run' | 'location'>): void {
    const barSize = SIZES[Math.floor(this.#draw() * SIZES.length)] ?? '1H';
    const all = { startDate: null, endDate: null, type: null, windowSize: null, cursor: null, limit: LIMIT };
    const query: GoldQuery = { kind: 'ohlc', ...of, ...all, barSize };
    const ownWrites = one.ownWrites.get(id) ?? 0;
    const read = () => this.#read(query);
    void one.answers.answer(query, true, read).then(({ page }) => {
      this.answers.push({ query, page, ownWrites });
    });
  }

  /** One moment of the table, which its rows name. */
  #read(query: GoldQuery): Promise<GoldPage> {
    return new Promise((resolve) => {
      this.#world.clock.after(1 + Math.floor(this.#draw() * 20), () => {
        const as_of = this.#clickhouse.taken;
        const rows: GoldRow[] = [];
        for (const row of this.#clickhouse.table(TOPIC.bars).values())
          if (asked(query, row)) rows.push({ ...plain(row), as_of });
        resolve({ rows, next: null });
      });
    });
  }
}

function asked({ market, run, location, barSize }: GoldQuery, row: Readonly<Record<string, unknown>>) {
  if (row.delivery_location !== location || row.bar_size !== barSize) return false;
  return row.market === market && row.run === run;
}

function plain(row: Row): GoldRow {
  const out: Record<string, string | number | boolean | null> = {};
  for (const [name, value] of Object.entries(row)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      out[name] = value;
    else out[name] = null;
  }
  return out;
}

/** Looks and answers in which two states are mixed, or an older one is shown than was written. */
export function mixedLooks(run: Simulation): string[] {
  return [...answersBroken(run.looks.answers), ...looksBroken(run)];
}

function answersBroken(answers: readonly Answer[]): string[] {
  return answers.flatMap(({ query, page: { rows }, ownWrites }) => {
    const what = `an answer about ${query.market}:${query.run}:${query.location} ${query.barSize}`;
    const moments = new Set(rows.map(({ as_of }) => Number(as_of)));
    const [moment = ownWrites] = moments;
    if (moments.size > 1) return [`${what} mixes the moments ${[...moments].join()}`];
    if (moment < ownWrites) return [`${what} is of ${moment}, and its process had written ${ownWrites}`];
    const odd = rows.find((row) => !asked(query, row));
    return odd === undefined ? [] : [`${what} holds ${odd.market}:${odd.run} ${odd.bar_size}`];
  });
}

const VALUES = [
  ['open', 'open_price'],
  ['high', 'high_price'],
  ['low', 'low_price'],
  ['close', 'close_price'],
  ['volume', 'volume'],
  ['vwap', 'vwap'],
  ['twap', 'twap'],
  ['count', 'trade_count'],
] as const;

/**
 * A bar that was shown stands on the topic with that revision, and with those values. What is rebuilt may
 * pass over a revision, when several ticks of long ago are taken at once.
 */
function looksBroken(run: Simulation): string[] {
  if (run.looks.seen.length === 0) return [];
  const known = new Map<string, Row>();
  for (const { key, text } of stored(run, TOPIC.bars)) {
    const { payload }: { payload: Row } = JSON.parse(text);
    const startMs = Number(payload.bar_start) / 1_000;
    known.set([key, payload.bar_size, startMs, payload.revision].join('|'), payload);
  }
  const rebuilt = new Set(Array.from(stored(run, TOPIC.rebuild), ({ key }) => key));
  return run.looks.seen.flatMap(({ instrument, size, bar }) => {
    const startMs = Date.parse(String(bar.bar_start));
    const name = [instrument, size, startMs, bar.revision].join('|');
    const row = known.get(name);
    if (row === undefined)
      return rebuilt.has(instrument) ? [] : [`a look showed ${name}, which is on no topic`];
    return VALUES.flatMap(([shown, column]) =>
      bar[shown] === row[column] ? [] : [`${name}: ${shown} was shown as ${bar[shown]}, is ${row[column]}`],
    );
  });
}
