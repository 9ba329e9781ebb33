// Names of what the cache holds: readable, bounded, always with the run, such as
// `ohlc:CAISO:RTPD:TH_SP15_GEN-APND:2025-01-15:1H`. A market, run or location that a question leaves open is
// `-`, days and size are `all`. And the scopes by which a change of an instrument is known to the questions
// that it can make wrong.

import type { GoldQuery, QueryKind } from './queries.ts';

const KINDS: readonly QueryKind[] = ['ohlc', 'metrics', 'curves'];
const PART_CHARS_MAX = 64;
const OPEN = '-';
const ALL = 'all';
/** Rows of an answer whose question names no limit, as shipped: such keys stay plain. */
const LIMIT_PLAIN = 1_000;

function part(of: string | null, open = OPEN): string {
  if (of === null) return open;
  return of.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, PART_CHARS_MAX) || '_';
}

/** Whether a name can be read back from its part. */
function isPlain(of: string | null): boolean {
  return of === null || (of !== OPEN && of !== ALL && part(of) === of);
}

/**
 * A question's key. Equal questions have equal keys; others differ in a part, or in the hash at the end where
 * the parts do not say everything.
 */
export function queryKey(query: GoldQuery): string {
  const { kind, market, run, location, startDate, endDate, barSize, type, windowSize, limit, cursor } = query;
  const days = startDate === endDate ? part(startDate, ALL) : `${part(startDate)}..${part(endDate)}`;
  const size = kind === 'ohlc' ? barSize : type;
  const more = kind === 'ohlc' ? type : barSize;
  const names = [market, run, location, size];
  const whole = more === null && windowSize === null && cursor === null && limit === LIMIT_PLAIN;
  const all = [...names, startDate, endDate, more, windowSize, limit, cursor];
  const tail = whole && names.every(isPlain) ? '' : `:${Bun.hash.xxHash64(JSON.stringify(all)).toString(36)}`;
  return `${kind}:${part(market)}:${part(run)}:${part(location)}:${days}:${part(size, ALL)}${tail}`;
}

/** Patterns of the answers that hold rows of a market: those that name it, and those that name none. */
export function marketPatterns(market: string): string[] {
  return KINDS.flatMap((kind) => [part(market), OPEN].map((of) => `${kind}:${of}:*`));
}

/** Patterns of the answers that hold rows of a location. */
export function locationPatterns(location: string): string[] {
  return KINDS.flatMap((kind) => [part(location), OPEN].map((of) => `${kind}:*:*:${of}:*`));
}

/** What a question asks about, as far as it says. */
export interface Scope {
  readonly market: string | null;
  readonly run: string | null;
  readonly location: string | null;
}

/** As it stands in the keys. Different scopes may share a name; then a change of one is a change of both. */
export function scopeName({ market, run, location }: Scope): string {
  return `${part(market)}:${part(run)}:${part(location)}`;
}

/** The scope in a key of ours. */
export function scopeOfKey(key: string): string {
  return key.split(':', 4).slice(1).join(':');
}

/** Every scope that a row of this instrument belongs to: each of its three names said or left open. */
export function scopesOf(instrument: string): string[] {
  const first = instrument.indexOf(':');
  const second = instrument.indexOf(':', first + 1);
  const market = instrument.slice(0, first);
  const run = instrument.slice(first + 1, second);
  const location = instrument.slice(second + 1);
  const found: string[] = [];
  for (const m of [market, null]) {
    for (const r of [run, null]) {
      for (const l of [location, null]) found.push(scopeName({ market: m, run: r, location: l }));
    }
  }
  return found;
}
