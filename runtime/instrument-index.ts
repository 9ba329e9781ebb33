// What a look at a market is answered from: its instruments in order, those of a location, and how far event
// time has come in each run. Kept as instruments come and go, so that a look walks only what it shows.

export class InstrumentIndex {
  readonly #ids = new Map<string, Set<string>>();
  /** Ids of a market in order; absent since its members changed. */
  readonly #sorted = new Map<string, readonly string[]>();
  /** By `market:location`. */
  readonly #located = new Map<string, Set<string>>();
  /** Greatest watermark by market and run, milliseconds. */
  readonly #marks = new Map<string, Map<string, number>>();

  add(id: string): void {
    const { market, place } = partsOf(id);
    into(this.#ids, market).add(id);
    into(this.#located, place).add(id);
    this.#sorted.delete(market);
  }

  remove(id: string): void {
    const { market, place } = partsOf(id);
    this.#ids.get(market)?.delete(id);
    this.#sorted.delete(market);
    const located = this.#located.get(place);
    located?.delete(id);
    if (located?.size === 0) this.#located.delete(place);
  }

  /** An instrument's watermark has come to `ms`. */
  mark(id: string, ms: number): void {
    const { market, run } = partsOf(id);
    const marks = this.#marks.get(market) ?? new Map<string, number>();
    if (!(ms <= (marks.get(run) ?? Number.NEGATIVE_INFINITY))) marks.set(run, ms);
    this.#marks.set(market, marks);
  }

  /** In order of the ids. */
  ids(market: string): readonly string[] {
    const found = this.#sorted.get(market);
    if (found !== undefined) return found;
    const sorted = [...(this.#ids.get(market) ?? [])].sort();
    this.#sorted.set(market, sorted);
    return sorted;
  }

  /** All runs of a location, in order. */
  at(market: string, location: string): readonly string[] {
    return [...(this.#located.get(`${market}:${location}`) ?? [])].sort();
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

/** Of `CAISO:RTPD:TH_SP15_GEN-APND`: its market, its run, and `CAISO:TH_SP15_GEN-APND`. */
function partsOf(id: string): { market: string; run: string; place: string } {
  const first = id.indexOf(':');
  const second = id.indexOf(':', first + 1);
  const market = id.slice(0, first);
  return { market, run: id.slice(first + 1, second), place: `${market}:${id.slice(second + 1)}` };
}
