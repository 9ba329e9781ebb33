// What a market is to the rest of the program: its zone rule, its runs and the names of its price components.
// A market's values are given by its file under actors/feeds/; nothing here names one.

/** How a market's operating day is cut: a civil zone with DST, or a fixed offset from UTC all year. */
export type MarketZone =
  | { readonly kind: 'civil'; readonly zone: string }
  | { readonly kind: 'fixed'; readonly utcOffsetMinutes: number };

/** Price fields of a tick that a component may fill. */
export type PriceField = 'price' | 'energy_price' | 'congestion_price' | 'loss_price' | 'ghg_price';

export interface RunSpec {
  /** Length of one observation's interval, minutes. 0: the run has no interval calendar (trades). */
  readonly intervalMinutes: number;
  /** Day-ahead runs publish whole days; their hours are the location's price curve. */
  readonly kind: 'day_ahead' | 'real_time' | 'trade' | 'curve';
  readonly settlement: 'preliminary' | 'final' | 'none';
}

export interface MarketSpec {
  /** `CAISO`, `MISO`: upper case, as it stands in instrument ids. */
  readonly market: string;
  readonly zone: MarketZone;
  readonly runs: Readonly<Record<string, RunSpec>>;
  /** The operator's component name → field of the tick, such as `MCC` → `congestion_price`. */
  readonly components: Readonly<Record<string, PriceField>>;
  /** Whether the calendar expects an observation of this location in the interval that starts then. */
  readonly expects: (location: string, intervalStartMs: number) => boolean;
}
