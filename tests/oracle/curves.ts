// Naive curves: the hours of an operating day that has at least five of them, each with the mean of its
// prices. A day-ahead location's hours are a price curve, a real-time one's a spot curve.

import { micros, quotient } from './bars.ts';
import { groupBy } from './group.ts';
import type { Observed } from './observe.ts';
import { dayOf, hourEnding, utc } from './wall-clock.ts';

export interface OraclePoint {
  readonly market: string;
  readonly run: string;
  readonly location: string;
  readonly curve_type: string;
  readonly delivery_date: string;
  readonly delivery_hour: number;
  readonly hour_start: string;
  readonly price: number;
  readonly quantity: null;
  readonly row_version: number;
}

const HOUR = 3_600_000;
const LEAST = 5;

export function oracleCurves(instruments: readonly Observed[]): Map<string, OraclePoint> {
  const out = new Map<string, OraclePoint>();
  for (const { market, run, location, observations } of instruments) {
    const curve_type = /^DA/.test(run) ? 'price_curve' : 'spot_curve';
    for (const [day, ofDay] of groupBy(observations, (each) => dayOf(market, each.startMs))) {
      const hours = groupBy(ofDay, (each) => String(Math.floor(each.startMs / HOUR)));
      if (hours.size < LEAST) continue;
      for (const [hour, members] of hours) {
        const startMs = Number(hour) * HOUR;
        const sum = members.reduce((all, each) => all + micros(each.price), 0n);
        const point = {
          market,
          run,
          location,
          curve_type,
          delivery_date: day,
          delivery_hour: hourEnding(market, startMs),
          hour_start: utc(startMs),
          price: quotient(sum, BigInt(members.length) * 1_000_000n),
          quantity: null,
          row_version: 2 * members.reduce((all, each) => all + each.changes, 0),
        };
        out.set(pointKey(point), point);
      }
    }
  }
  return out;
}

export function pointKey(of: Pick<OraclePoint, 'market' | 'run' | 'location' | 'curve_type' | 'hour_start'>) {
  return [of.market, of.run, of.location, of.curve_type, of.hour_start].join('|');
}
