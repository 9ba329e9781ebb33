// The request side of a feed: which windows of a market's operating days can be asked for, what the request
// of a window is, when its intervals are published, and what the operator's answer means before it is parsed.
// The parse side (feed.ts) reads the answer. Pure: time is an argument, and nothing here is sent anywhere.
//
// README.md beside this says what a new market must promise. Windows of one day do not overlap and are named
// the same on every machine; a window asked twice gives the same observations or newer versions of them.

import type { MarketSpec } from '../domain/market.ts';
import type { OperatingDay } from '../domain/operating-day.ts';
import type { RefusedResponse } from './feed.ts';

/** Half-open, [startMs, endMs). */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** Locations to follow: names, or all that the operator publishes. */
export type Nodes = readonly string[] | 'all';

/** What is fetched, remembered and reported as one. */
export interface Window extends Span {
  /** Unique within its feed, such as `2026-10-01/0`: operating day and part. */
  readonly id: string;
  /** Operating day, of several the first. */
  readonly date: string;
  readonly nodes: Nodes;
}

/** When intervals of a run are published; the feed asks for none before. */
export type Publication =
  /** Whole days: at an hour of the day before. */
  | { readonly kind: 'day_before'; readonly hour: number }
  /** Interval by interval: so long after each one's end; negative before it. */
  | { readonly kind: 'lag'; readonly minutes: number }
  /** Whole windows: so long after the window's end. */
  | { readonly kind: 'after'; readonly hours: number };

export interface Ask {
  /** Key of the connector's base URLs. */
  readonly base: string;
  /** What follows the base URL, query included; never a credential. */
  readonly path: string;
  /** Name of the connector's secret to send along, in which header; null: the endpoint is public. */
  readonly secret: { readonly name: string; readonly header: string } | null;
  /** Name that the response is known by: the operator's file name where the format depends on it. */
  readonly name: string;
}

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | null;
  readonly bytes: Uint8Array;
}

/** Where an operator tells of each operating day which of its runs were priced anew, and when. */
export interface Notices extends Pick<Source, 'name' | 'market' | 'oldestMs' | 'recognise'> {
  /** Asked first so long after the day's end, and again so often. */
  readonly firstMs: number;
  readonly everyMs: number;
  request(day: OperatingDay): Ask;
}

export interface Source {
  /** `caiso.dam`: how YAML and metrics name it. */
  readonly name: string;
  readonly market: MarketSpec;
  readonly run: string;
  readonly publication: Publication;
  /** Days after a window's end on which it is looked at again for corrections, ascending. */
  readonly correctionDays: readonly number[];
  /** Windows that begin on this operating day. */
  windows(day: OperatingDay, nodes: Nodes): readonly Window[];
  /** The request for a span of the window; null when it can no longer, or not yet, be asked that way. */
  request(window: Window, span: Span, nowMs: number): Ask | null;
  /** The next page after this reply, where answers come in pages; null after the last; else what is wrong. */
  nextPage?(ask: Ask, reply: Reply): Ask | RefusedResponse | null;
  /** Windows that end at or before this are no longer served; null: kept for good. */
  oldestMs(nowMs: number): number | null;
  /** What the reply means by the operator's own words, whatever its status; null: nothing of the kind. */
  recognise(reply: Reply): RefusedResponse | null;
}
