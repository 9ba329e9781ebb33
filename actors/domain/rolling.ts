// Rolling metrics: functions of the last n observations by event time as of the end of an hour, refolded in
// event-time order from exact values. A window may be shorter than n while there are at least `minSamples`.
//
// Formulas: mean Σx/n; standard deviation √(Σ(x−mean)²/(n−1)) (sample); volatility = the standard deviation
// of the first differences of price; percentiles by linear interpolation between order statistics
// (Hyndman–Fan type 7).

import { vwapOf } from './bar.ts';
import { MICROS } from './micros.ts';

export type MetricKind =
  | 'average_price'
  | 'price_volatility'
  | 'price_std'
  | 'price_percentiles'
  | 'total_volume'
  | 'average_volume'
  | 'volume_volatility'
  | 'trade_count'
  | 'average_trade_size'
  | 'vwap';

export interface MetricSpec {
  readonly kind: MetricKind;
  /** Window sizes in observations, ascending. */
  readonly windows: readonly number[];
  readonly minSamples: number;
  /** A window never takes more observations than this. */
  readonly maxSamples: number;
  /** 0–100; for percentiles only. */
  readonly percentiles: readonly number[];
}

export interface MetricValue {
  /** As in facts: `rolling_average_price`, `rolling_price_p25`. */
  readonly type: string;
  readonly window: number;
  readonly value: number;
  readonly unit: string;
  readonly samples: number;
}

/** Observations of an instrument in event-time order, in columns. Values in millionths, NaN: none. */
export interface Series {
  readonly startMs: Float64Array;
  readonly price: Float64Array;
  readonly quantity: Float64Array;
  /** Value changes up to and including each observation. */
  readonly changesBefore: Float64Array;
  readonly count: number;
}

/** First index whose event time is at or after `ms`. */
export function indexAt(series: Series, ms: number): number {
  let low = 0;
  let high = series.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((series.startMs[middle] ?? 0) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Value changes of the observations in [from, to). */
export function changesBetween(series: Series, from: number, to: number): number {
  return (series.changesBefore[to] ?? 0) - (series.changesBefore[from] ?? 0);
}

/** All metrics over the observations [from, to) of a series, of which each takes the last ones it needs. */
export function metricsAt(
  series: Series,
  from: number,
  to: number,
  specs: readonly MetricSpec[],
): MetricValue[] {
  const window = new Window(series, from, to);
  const out: MetricValue[] = [];
  for (const spec of specs) {
    for (const size of spec.windows) window.measure(spec, size, out);
  }
  return out;
}

const UNIT = { price: '$/MWh', energy: 'MWh', count: 'count' } as const;

/** The ends of windows of one hour; equal stretches are measured once. */
class Window {
  readonly #series: Series;
  readonly #from: number;
  readonly #to: number;
  readonly #sorted = new Map<number, Float64Array>();
  readonly #quantities: Float64Array;

  constructor(series: Series, from: number, to: number) {
    this.#series = series;
    this.#from = from;
    this.#to = to;
    this.#quantities = series.quantity.subarray(from, to).filter((each) => !Number.isNaN(each));
  }

  measure(spec: MetricSpec, size: number, out: MetricValue[]): void {
    const wanted = Math.min(size, spec.maxSamples);
    switch (spec.kind) {
      case 'average_price':
        return this.#prices(spec, size, wanted, 'rolling_average_price', mean, out);
      case 'price_std':
        return this.#prices(spec, size, wanted, 'rolling_price_std', deviation, out);
      case 'price_volatility':
        return this.#prices(spec, size, wanted, 'rolling_price_volatility', differenceDeviation, out);
      case 'price_percentiles':
        return this.#percentiles(spec, size, wanted, out);
      case 'trade_count':
        return this.#count(spec, size, wanted, out);
      case 'total_volume':
        return this.#volumes(spec, size, wanted, 'rolling_total_volume', sum, out);
      case 'average_volume':
        return this.#volumes(spec, size, wanted, 'rolling_average_volume', mean, out);
      case 'volume_volatility':
        return this.#volumes(spec, size, wanted, 'rolling_volume_volatility', deviation, out);
      case 'average_trade_size':
        return this.#volumes(spec, size, wanted, 'rolling_average_trade_size', mean, out);
      case 'vwap':
        return this.#vwap(spec, size, wanted, out);
    }
  }

  #tail(of: Float64Array, wanted: number): Float64Array {
    const from = Math.max(this.#from, this.#to - wanted);
    return of.subarray(from, this.#to);
  }

  #prices(
    spec: MetricSpec,
    size: number,
    wanted: number,
    type: string,
    fold: (values: Float64Array) => number | null,
    out: MetricValue[],
  ): void {
    const values = this.#tail(this.#series.price, wanted);
    if (values.length < spec.minSamples) return;
    const value = fold(values);
    if (value !== null) out.push({ type, window: size, value, unit: UNIT.price, samples: values.length });
  }

  #percentiles(spec: MetricSpec, size: number, wanted: number, out: MetricValue[]): void {
    const samples = Math.min(wanted, this.#to - this.#from);
    if (samples < spec.minSamples) return;
    let sorted = this.#sorted.get(samples);
    if (sorted === undefined) {
      sorted = this.#tail(this.#series.price, samples).slice().sort();
      this.#sorted.set(samples, sorted);
    }
    for (const percentile of spec.percentiles) {
      const value = percentileOf(sorted, percentile);
      out.push({ type: `rolling_price_p${percentile}`, window: size, value, unit: UNIT.price, samples });
    }
  }

  #count(spec: MetricSpec, size: number, wanted: number, out: MetricValue[]): void {
    const samples = Math.min(wanted, this.#to - this.#from);
    if (samples < spec.minSamples) return;
    out.push({ type: 'rolling_trade_count', window: size, value: samples, unit: UNIT.count, samples });
  }

  #volumes(
    spec: MetricSpec,
    size: number,
    wanted: number,
    type: string,
    fold: (values: Float64Array) => number | null,
    out: MetricValue[],
  ): void {
    const values = this.#quantities.subarray(Math.max(0, this.#quantities.length - wanted));
    if (values.length === 0 || values.length < spec.minSamples) return;
    const value = fold(values);
    if (value !== null) out.push({ type, window: size, value, unit: UNIT.energy, samples: values.length });
  }

  #vwap(spec: MetricSpec, size: number, wanted: number, out: MetricValue[]): void {
    if (this.#quantities.length === 0) return;
    const prices = this.#tail(this.#series.price, wanted);
    const quantities = this.#tail(this.#series.quantity, wanted);
    const traded: { price: number; quantity: number }[] = [];
    for (const [n, quantity] of quantities.entries()) {
      const price = prices[n] ?? Number.NaN;
      if (!Number.isNaN(quantity) && !Number.isNaN(price)) traded.push({ price, quantity });
    }
    if (traded.length === 0 || traded.length < spec.minSamples) return;
    const value = vwapOf(traded);
    if (value === null) return;
    out.push({ type: 'rolling_vwap', window: size, value, unit: UNIT.price, samples: traded.length });
  }
}

function total(values: Float64Array): number {
  let all = 0;
  for (const value of values) all += value;
  return all;
}

function sum(values: Float64Array): number {
  return total(values) / MICROS;
}

function mean(values: Float64Array): number {
  return total(values) / (values.length * MICROS);
}

/** Sample standard deviation; null for fewer than two values. */
function deviation(values: Float64Array): number | null {
  const { length } = values;
  if (length < 2) return null;
  const middle = total(values) / length;
  let squares = 0;
  for (const value of values) squares += (value - middle) * (value - middle);
  return Math.sqrt(squares / (length - 1)) / MICROS;
}

/** Sample standard deviation of the first differences; null for fewer than two differences. */
function differenceDeviation(values: Float64Array): number | null {
  const differences = new Float64Array(Math.max(0, values.length - 1));
  for (let n = 1; n < values.length; n += 1) differences[n - 1] = (values[n] ?? 0) - (values[n - 1] ?? 0);
  return deviation(differences);
}

/** Type 7: position (n−1)·p/100 between order statistics. */
function percentileOf(sorted: Float64Array, percentile: number): number {
  const position = ((sorted.length - 1) * percentile) / 100;
  const low = Math.floor(position);
  const below = sorted[low] ?? 0;
  const above = sorted[Math.min(low + 1, sorted.length - 1)] ?? below;
  return (below + (position - low) * (above - below)) / MICROS;
}
