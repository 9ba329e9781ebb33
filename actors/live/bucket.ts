// A token bucket of one token, shared by whoever asks the same host: one request per interval. A grant is a
// cell of a grid laid over time, so that two processes which know nothing of each other agree on who has
// which by claiming its number, and a crashed one holds nothing up. Pure.

export interface Grant {
  /** Number of the cell, from the epoch. */
  readonly cell: number;
  readonly startMs: number;
  /** The request must leave before; a later one would come too close to the next cell's. */
  readonly endMs: number;
}

/**
 * A request leaves within the first tenth of its cell. Cells are a tenth longer than the interval, so that
 * two of them in a row are never closer than the interval.
 */
export function grantAt(cell: number, intervalMs: number): Grant {
  const marginMs = Math.ceil(intervalMs / 10);
  const lengthMs = intervalMs + marginMs;
  return { cell, startMs: cell * lengthMs, endMs: cell * lengthMs + marginMs };
}

/** The first cell whose request can still leave at `nowMs` or later. */
export function firstCell(nowMs: number, intervalMs: number): number {
  const lengthMs = intervalMs + Math.ceil(intervalMs / 10);
  const cell = Math.floor(nowMs / lengthMs);
  return nowMs < grantAt(cell, intervalMs).endMs ? cell : cell + 1;
}
