// Observations as columns: the shape in which rolling metrics read them.

import { changesOf, currentOf, type Observation } from './domain/observation.ts';
import type { Series } from './domain/rolling.ts';

/** Priced observations in columns. */
export function seriesOf(observations: readonly Observation[]): Series {
  const priced = observations.filter((each) => currentOf(each).price !== null);
  const count = priced.length;
  const series = {
    startMs: new Float64Array(count),
    price: new Float64Array(count),
    quantity: new Float64Array(count),
    changesBefore: new Float64Array(count + 1),
    count,
  };
  for (const [n, observation] of priced.entries()) {
    const { price, quantity } = currentOf(observation);
    series.startMs[n] = observation.startMs;
    series.price[n] = price ?? Number.NaN;
    series.quantity[n] = quantity ?? Number.NaN;
    series.changesBefore[n + 1] = (series.changesBefore[n] ?? 0) + changesOf(observation);
  }
  return series;
}
