// A naive data quality: what should be found in a stream of ticks of one instrument whose calendar expects
// every interval, under the shipped rules. Keeps the whole history, recomputes from it for each tick, and
// shares no code with the stage.

export interface SeenTick {
  readonly id: string;
  readonly startMs: number;
  readonly price: number;
  readonly quantity: number | null;
  /** Names of the value fields that are there. */
  readonly fields: string;
  readonly arrivedMs: number;
}

/** Length of an interval, and the market's price range. */
export interface Instrument {
  readonly stepMs: number;
  readonly range: readonly [min: number, warning: number, max: number];
}

export const QUARTERS: Instrument = { stepMs: 900_000, range: [-150, 1_500, 2_000] };

interface Known {
  readonly at: number;
  readonly value: number;
}

/** The hundred latest intervals as they are known after these arrivals, then those before `beforeMs`. */
function known(of: readonly SeenTick[], beforeMs: number, pick: (tick: SeenTick) => number | null): number[] {
  let held: Known[] = [];
  for (const tick of of) {
    const value = pick(tick);
    if (value === null) continue;
    held = held.filter(({ at }) => at !== tick.startMs);
    held.push({ at: tick.startMs, value });
    held.sort((a, b) => a.at - b.at);
    held = held.slice(-100);
  }
  return held.filter(({ at }) => at < beforeMs).map(({ value }) => value);
}

function moments(values: readonly number[]): { mean: number; sd: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.map((each) => (each - mean) ** 2).reduce((a, b) => a + b, 0);
  return { mean, sd: Math.sqrt(squares / (values.length - 1)) };
}

/** Linear between the ranks around (n − 1)·p, as R and NumPy do by default. */
function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (sorted.length - 1) * p;
  const lower = sorted[Math.floor(rank)] ?? Number.NaN;
  const upper = sorted[Math.min(Math.floor(rank) + 1, sorted.length - 1)] ?? Number.NaN;
  return lower + (upper - lower) * (rank - Math.floor(rank));
}

/** `type/severity` of all that should be found in the last of them, sorted. */
export function expectedFindings(of: readonly SeenTick[], { stepMs, range } = QUARTERS): string[] {
  const now = of[of.length - 1];
  if (now === undefined) return [];
  const before = of.slice(0, -1);
  const found: string[] = [];
  const recent = before.slice(-32).filter((each) => now.arrivedMs - each.arrivedMs <= 60_000);
  if (recent.some((each) => each.id === now.id)) found.push('duplicate/low');
  const prices = known(before, now.startMs, ({ price }) => price);
  if (prices.length >= 10) {
    const { mean, sd } = moments(prices);
    const z = Math.abs(now.price - mean) / sd;
    if (sd > 0 && z >= 3) found.push(`price_spike/${z >= 5 ? 'critical' : z >= 4 ? 'high' : 'medium'}`);
    const [q1, q3] = [quantile(prices, 0.25), quantile(prices, 0.75)];
    const iqr = q3 - q1;
    if (now.price < q1 - 2.5 * iqr || now.price > q3 + 2.5 * iqr) found.push('outlier/medium');
  }
  const quantities = known(before, now.startMs, ({ quantity }) => quantity);
  if (now.quantity !== null && quantities.length >= 10) {
    const { mean, sd } = moments(quantities);
    const z = Math.abs(now.quantity - mean) / sd;
    if (sd > 0 && z >= 3) found.push(`volume_spike/${z >= 4 ? 'high' : 'medium'}`);
  }
  const newest = Math.max(...before.map(({ startMs }) => startMs));
  const holes = (now.startMs - newest) / stepMs - 1;
  if (
    before.length > 0 &&
    holes > 0 &&
    holes * stepMs >= 30 * 60_000 &&
    now.startMs - newest <= 48 * 3_600_000
  )
    found.push('missing_data/medium');
  const previous = before[before.length - 1];
  if (previous !== undefined && previous.fields !== now.fields) found.push('schema_drift/low');
  const [min, warning, max] = range;
  if (now.price < min || now.price > max) found.push('range_violation/high');
  else if (now.price > warning) found.push('range_warning/low');
  return found.sort();
}

/** The mean of the five sub-scores that follow from such findings, for a tick with all required fields. */
export function expectedScore(findings: readonly string[]): number {
  const has = (type: string): boolean => findings.some((each) => each.startsWith(`${type}/`));
  const unusual = has('price_spike') || has('volume_spike') || has('outlier');
  const accuracy = 1 - (unusual ? 0.5 : 0) - (has('range_violation') ? 0.5 : 0);
  const consistency = 1 - (has('duplicate') ? 0.5 : 0) - (has('schema_drift') ? 0.5 : 0);
  return (1 + accuracy + consistency + 1 + (has('range_violation') ? 0.5 : 1)) / 5;
}
