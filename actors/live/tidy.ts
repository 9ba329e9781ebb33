// Keeps what a feed remembers within bounds: windows that are whole and past their corrections are packed,
// the oldest ones too when there are more values than allowed, and windows of long ago are forgotten. Pure; a
// few at a time, with the answer that is being put on the log.

import type { Window } from '../feeds/source.ts';
import { type Coverage, intervalMsOf } from './coverage.ts';
import { pack } from './packed-coverage.ts';
import { type FeedSettings, followedFromMs, type States, type WindowState } from './plan.ts';

export interface MemoryPolicy {
  /** Values of windows that are kept one by one. */
  readonly cellsMax: number;
  /** A window is forgotten so long after its end, or after it was asked for last. */
  readonly historyMs: number;
}

/** Windows that are no larger than what they would be packed to. */
const LOCATIONS_KEPT = 8;
const CHANGES_MAX = 16;

function cellsOf({ slots, locations }: Coverage): number {
  return slots * locations.size;
}

/** Windows to remember otherwise; null: not at all. `current` is left alone. */
export function tidy(
  settings: FeedSettings,
  states: States,
  policy: MemoryPolicy,
  current: string,
  nowMs: number,
): ReadonlyMap<string, WindowState | null> {
  const changes = new Map<string, WindowState | null>();
  const followedMs = followedFromMs(settings, nowMs);
  const full: { readonly id: string; readonly state: WindowState }[] = [];
  let cells = 0;
  for (const [id, state] of states) {
    if (id === current) continue;
    if (Math.max(state.endMs, state.concludedMs) < nowMs - policy.historyMs) {
      if (changes.size < CHANGES_MAX) changes.set(id, null);
    } else if (state.coverage.packed === null && state.coverage.locations.size > 0) {
      full.push({ id, state });
      cells += cellsOf(state.coverage);
    }
  }
  full.sort((a, b) => a.state.endMs - b.state.endMs);
  for (const { id, state } of full) {
    if (changes.size >= CHANGES_MAX) break;
    const isFollowed = state.endMs > followedMs;
    const isLarge = state.coverage.locations.size > LOCATIONS_KEPT;
    const isPast = isLarge && !isFollowed && corrected(settings, state) && seemsWhole(state);
    const isOver = cells > policy.cellsMax && (!isFollowed || seemsWhole(state));
    if (!isPast && !isOver) continue;
    const coverage = packed(settings, id, state);
    if (!isWhole(coverage) && (isFollowed || cells <= policy.cellsMax)) continue;
    cells -= cellsOf(state.coverage);
    changes.set(id, { ...state, coverage });
  }
  return changes;
}

function corrected({ source }: FeedSettings, { corrections }: WindowState): boolean {
  return corrections >= source.correctionDays.length;
}

/** Its last answer left nothing missing that was out by then: cheap to ask, and seldom wrong. */
function seemsWhole({ attempts, failures, concludedMs }: WindowState): boolean {
  return attempts === 0 && failures === 0 && concludedMs > 0;
}

function isWhole({ packed: of }: Coverage): boolean {
  return of?.expected.every((expected, slot) => expected === of.present[slot]) === true;
}

function packed(settings: FeedSettings, id: string, state: WindowState): Coverage {
  const { market, source } = settings;
  const intervalMs = intervalMsOf(market, source.run);
  return pack(state.coverage, windowOf(settings, id, state, intervalMs), intervalMs, market);
}

/** The window by its id; one that the configuration no longer has is what was seen of it. */
function windowOf(settings: FeedSettings, id: string, state: WindowState, intervalMs: number): Window {
  const date = id.slice(0, 10);
  const day = settings.calendar.day(date);
  const found = day === null ? [] : settings.source.windows(day, settings.nodes);
  const startMs = state.endMs - state.coverage.slots * intervalMs;
  return (
    found.find((each) => each.id === id) ?? { id, date, startMs, endMs: state.endMs, nodes: 'all' as const }
  );
}
