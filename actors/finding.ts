// What a detector of data quality looks at, and what it says. Pure values; as of arrival, so exempt from
// order independence (design §2).

import type { AssessmentOptions, MarketRules } from './assessment-options.ts';
import type { Severity, Tick } from './domain/wire.ts';
import type { RecentPrices } from './recent-prices.ts';

export interface Finding {
  readonly type: string;
  readonly category: 'statistical' | 'completeness' | 'consistency' | 'timeliness' | 'validity';
  readonly severity: Severity;
  readonly field: string;
  /**
   * Names the check within its type. With the tick it identifies the finding, so it never holds a measured
   * value; and there are few of them, because metrics are labelled with it.
   */
  readonly rule: string;
  readonly description: string;
  readonly expected: string | null;
  readonly actual: string | null;
  readonly threshold: number | null;
  /** Distance from what was expected, in the unit of the field. */
  readonly deviation: number | null;
  /** The same in percent of what was expected; null where that is 0 or no number. */
  readonly deviationPercent: number | null;
  readonly algorithm: string;
}

/** What is known of an instrument before the tick. Every list is bounded. */
export interface Memory {
  readonly prices: RecentPrices;
  readonly volumes: RecentPrices;
  readonly newestMs: number | null;
  /** Which value fields the last tick had, as a list joined by commas; null before the first. */
  readonly schema: string | null;
  /** Ticks of the last `duplicate_window_seconds`, oldest first. */
  readonly ids: readonly { readonly id: string; readonly atMs: number }[];
}

export interface Look {
  readonly tick: Tick;
  readonly memory: Memory;
  readonly options: AssessmentOptions;
  readonly rules: MarketRules;
  readonly nowMs: number;
}
