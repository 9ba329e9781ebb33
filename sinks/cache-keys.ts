// Names of what the cache holds: readable, bounded, always with the run, such as
// `ohlc:CAISO:RTPD:TH_SP15_GEN-APND:2025-01-15:1H`. What a question leaves open is `-`.

import type { GoldQuery } from './queries.ts';

const PART_CHARS_MAX = 64;

function part(of: string | number | null): string {
  if (of === null || of === '') return '-';
  return String(of)
    .replaceAll(/[^A-Za-z0-9._-]/g, '_')
    .slice(0, PART_CHARS_MAX);
}

/**
 * A question's key. Equal questions have equal keys; others differ in a readable part or in the hash at the
 * end.
 */
export function queryKey(query: GoldQuery): string {
  const { kind, market, run, location, startDate, endDate, barSize, type, windowSize, limit, cursor } = query;
  const days = startDate === endDate ? part(startDate) : `${part(startDate)}..${part(endDate)}`;
  const rest = [type, windowSize, limit, cursor];
  const plain = rest.every((each) => each === null || each === limit);
  const tail = plain && limit === 1_000 ? '' : `:${Bun.hash.xxHash32(JSON.stringify(rest)).toString(36)}`;
  const size = kind === 'ohlc' ? part(barSize) : kind === 'metrics' ? part(type) : part(type);
  return `${kind}:${part(market)}:${part(run)}:${part(location)}:${days}:${size}${tail}`;
}

/**
 * Keys that a change of this instrument can make wrong: its own and those that leave market, run or location
 * open.
 */
export function patternsOf(market: string, run: string, location: string): string[] {
  const patterns: string[] = [];
  for (const m of [market, null]) {
    for (const r of [run, null]) {
      for (const l of [location, null]) patterns.push(`*:${part(m)}:${part(r)}:${part(l)}:*`);
    }
  }
  return patterns;
}
