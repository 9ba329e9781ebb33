// What becomes of a router's state behind a commit: a release that goes on or is over, and instruments that
// moved away behind a barrier. Values in, values out; what is done next is the router's to say.

import { type Barrier, versionOf } from './layout.ts';
import { isActive, type Quarantines } from './quarantine.ts';
import type { RouterState } from './router-protocol.ts';
import { forgetInstruments } from './router-shard.ts';
import type { Work } from './router-work.ts';

/** The instrument whose quarantine this batch has ended; null: none. */
export function releasedBy(quarantines: Quarantines, { released }: Work): string | null {
  return released !== null && !isActive(quarantines, released) ? released : null;
}

/** A parking is read to its end before anything else, unless its instrument is in quarantine again. */
export function releaseGoesOn(state: RouterState, work: Work): RouterState {
  const { released } = work;
  if (released === null) return state;
  if (work.batch.count > 0 && work.stoppedAfter === null) return { ...state, releasing: released };
  const toRelease = state.toRelease.filter((each) => each !== released);
  return { ...state, toRelease, releasing: null };
}

/** A barrier is behind: its layout holds, and what moved is forgotten here. */
export function behindBarrier(
  state: RouterState,
  { layout }: Barrier,
  moved: ReadonlySet<string>,
): RouterState {
  const known = state.layout === null ? 1 : versionOf(state.layout);
  return {
    ...state,
    layout: versionOf(layout) > known ? layout : state.layout,
    quarantines: new Map([...state.quarantines].filter(([id]) => !moved.has(id))),
    instruments: forgetInstruments(state.instruments, moved),
    toRelease: state.toRelease.filter((id) => !moved.has(id)),
    releasing: state.releasing !== null && moved.has(state.releasing) ? null : state.releasing,
  };
}
