// Runs a stage over ticks as an instrument actor does: a batch at a time, each batch's changed parts stored,
// and, where asked for, every batch begun from what a restart would restore.

import type { Stage, StoredPart } from '../../actors/stage.ts';
import { recordsOf } from './wire-ticks.ts';

export interface Run<State> {
  readonly state: State;
  /** Emitted records in order, each with where it went. */
  readonly out: { readonly to: string; readonly value: Record<string, unknown> }[];
  readonly refused: { readonly offset: number; readonly reason: string }[];
  readonly stored: ReadonlyMap<string, Uint8Array>;
}

export interface How {
  /** Sizes of the batches, over and over. */
  readonly sizes?: readonly number[];
  readonly restarts?: boolean;
  readonly nowMs?: (offset: number) => number;
}

export function runStage<State>(
  stage: Stage<State>,
  id: string,
  ticks: readonly object[],
  how: How = {},
): Run<State> {
  const { sizes = [ticks.length || 1], restarts = false, nowMs = () => 0 } = how;
  const stored = new Map<string, Uint8Array>();
  const out: Run<State>['out'] = [];
  const refused: Run<State>['refused'] = [];
  let state = stage.initial(id);
  for (let from = 0, n = 0; from < ticks.length; n += 1) {
    const size = sizes[n % sizes.length] ?? 1;
    if (restarts && stored.size > 0) state = stage.restore(id, stored);
    const result = stage.process(state, recordsOf(ticks.slice(from, from + size), from), {
      nowMs: nowMs(from),
    });
    for (const { to, value } of result.emissions) out.push({ to, value: JSON.parse(String(value)) });
    for (const { offset, rejection } of result.refused) refused.push({ offset, reason: rejection.reason });
    keep(stored, stage.store(state, result.state));
    state = result.state;
    from += size;
  }
  return { state, out, refused, stored };
}

function keep(stored: Map<string, Uint8Array>, parts: readonly StoredPart[]): void {
  for (const { part, bytes } of parts) {
    if (bytes === null) stored.delete(part);
    else stored.set(part, bytes);
  }
}
