// What a look at a market is answered from: its instruments in order, those of a location, and how far event
// time has come in each run. Kept as instruments come and go, so that a look walks only what it shows.

import type { CalendarNews } from '../actors/calendar.ts';

export class InstrumentIndex {
  readonly #ids = new Map<string, Set<string>>();
  /** Ids of a market in order; absent since its members changed. */
  readonly #sorted = new Map<string, readonly string[]>();
  /** By market; a run stays. */
  readonly #runs = new Map<string, Set<string>>();
  /** Greatest watermark by market and run, milliseconds. */
  readonly #marks = new Map<string, Map<string, number>>();

  has(id: string): boolean {
    return this.#ids.get(id.slice(0, id.indexOf(':')))?.has(id) ?? false;
  }

  get size(): number {
    return [...this.#ids.values()].reduce((sum, each) => sum + each.size, 0);
  }

  markets(): readonly string[] {
    return [...this.#ids.keys()].sort();
  }

  add(id: string): void {
    if (this.has(id)) return;
    const { market, run } = partsOf(id);
    into(this.#ids, market).add(id);
    into(this.#runs, market).add(run);
    this.#sorted.delete(market);
  }

  remove(id: string): void {
    const { market } = partsOf(id);
    this.#ids.get(market)?.delete(id);
    this.#sorted.delete(market);
  }

  /** A watermark of `market:run` has come to `ms`. */
  mark(of: string, ms: number): void {
    const { market, run } = partsOf(of);
    const marks = this.#marks.get(market) ?? new Map<string, number>();
    if (!(ms <= (marks.get(run) ?? Number.NEGATIVE_INFINITY))) marks.set(run, ms);
    this.#marks.set(market, marks);
  }

  /** Every instrument of the run that has a watermark is there at least. */
  told({ market, run, toMs }: CalendarNews): void {
    const marks = this.#marks.get(market);
    const before = marks?.get(run);
    if (before !== undefined && before < toMs) marks?.set(run, toMs);
  }

  /** In order of the ids. */
  ids(market: string): readonly string[] {
    const found = this.#sorted.get(market);
    if (found !== undefined) return found;
    const sorted = [...(this.#ids.get(market) ?? [])].sort();
    this.#sorted.set(market, sorted);
    return sorted;
  }

  count(market: string): number {
    return this.#ids.get(market)?.size ?? 0;
  }

  /** All runs of a location, in order. */
  at(market: string, location: string): readonly string[] {
    const ids = [...(this.#runs.get(market) ?? [])].map((run) => `${market}:${run}:${location}`);
    return ids.filter((id) => this.has(id)).sort();
  }

  marks(market: string): ReadonlyMap<string, number> {
    return this.#marks.get(market) ?? new Map();
  }
}

function into(sets: Map<string, Set<string>>, key: string): Set<string> {
  const found = sets.get(key);
  if (found !== undefined) return found;
  const made = new Set<string>();
  sets.set(key, made);
  return made;
}

/** Of `CAISO:RTPD:TH_SP15_GEN-APND`, or of `CAISO:RTPD` alone. */
function partsOf(id: string): { market: string; run: string } {
  const first = id.indexOf(':');
  const second = id.indexOf(':', first + 1);
  return { market: id.slice(0, first), run: id.slice(first + 1, second < 0 ? undefined : second) };
}
