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

/** A tenth of the interval, rounded up. */
function marginMs(intervalMs: number): number {
  return Math.ceil(intervalMs / 10);
}

/**
 * A request leaves within the first margin of its cell. A cell is the interval and two margins long: one for
 * the leaving, so that requests of two cells in a row leave an interval and a margin apart, and one for the
 * way, so that the later one may also be a margin faster than the earlier and still not arrive too soon.
 */
export function grantAt(cell: number, intervalMs: number): Grant {
  const startMs = cell * lengthMs(intervalMs);
  return { cell, startMs, endMs: startMs + marginMs(intervalMs) };
}

function lengthMs(intervalMs: number): number {
  return intervalMs + 2 * marginMs(intervalMs);
}

/** The first cell whose request can still leave at `nowMs` or later. */
export function firstCell(nowMs: number, intervalMs: number): number {
  const cell = Math.floor(nowMs / lengthMs(intervalMs));
  return nowMs < grantAt(cell, intervalMs).endMs ? cell : cell + 1;
}
