// What a connector remembers on the log, in its writer's state, besides its windows (stored-window.ts): the
// running total of rows, the history, who is switched off, absences and backfills. Keys are short paths,
// values JSON. `path` is `<connector>/<feed>` everywhere below.

import type { Cursor } from '../../actors/connector.ts';
import type { Ledger } from '../../actors/live/pending.ts';
import type { Run } from '../../actors/live/run.ts';
import type { StateChange } from '../log/log.ts';
import { cursorKey } from '../raw-outputs.ts';
import type { BackfillJob } from './backfill.ts';
import { readWindows } from './stored-window.ts';

/** Entries of a feed's history that are kept. */
export const RUNS_KEPT = 100;

export interface Switch {
  readonly enabled: boolean;
  readonly reason: string | null;
  readonly sinceMs: number;
}

export type Stored = ReadonlyMap<string, Uint8Array>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function change(key: string, value: unknown): StateChange {
  return { key, value: encoder.encode(JSON.stringify(value)) };
}

function parsed<T>(value: Uint8Array): T {
  const read: T = JSON.parse(decoder.decode(value));
  return read;
}

function read<T>(stored: Stored, key: string): T | null {
  const value = stored.get(key);
  return value === undefined ? null : parsed<T>(value);
}

function* below<T>(stored: Stored, prefix: string): Iterable<readonly [rest: string, value: T]> {
  for (const [key, value] of stored) {
    if (key.startsWith(prefix)) yield [key.slice(prefix.length), parsed<T>(value)];
  }
}

/** One running total a feed, of the shape that conservation reads of every response. */
export function ledgerChange(path: string, ledger: Ledger): StateChange {
  const { rowsRead, rowsUsed, rowsRefused, appended } = ledger;
  const cursor: Cursor = {
    name: `live ${path}`,
    done: appended,
    total: appended,
    rowsRead,
    rowsUsed,
    rowsRefused,
    refusal: null,
    ends: {},
  };
  return change(cursorKey(`live:${path}`), cursor);
}

export function readLedger(stored: Stored, path: string): Ledger {
  const cursor = read<Cursor>(stored, cursorKey(`live:${path}`));
  return {
    rowsRead: cursor?.rowsRead ?? 0,
    rowsUsed: cursor?.rowsUsed ?? 0,
    rowsRefused: cursor?.rowsRefused ?? 0,
    appended: cursor?.done ?? 0,
  };
}

/** The last good answer before an absence that no backfill makes up for yet; null: there is none. */
export function absenceChange(path: string, sinceMs: number | null): StateChange {
  return sinceMs === null ? { key: `absence:${path}`, value: null } : change(`absence:${path}`, sinceMs);
}

export function readAbsence(stored: Stored, path: string): number | null {
  return read<number>(stored, `absence:${path}`);
}

export function runChange(path: string, run: Run): StateChange {
  return change(`run:${path}:${run.seq % RUNS_KEPT}`, run);
}

/** Oldest first. */
export function readRuns(stored: Stored, path: string): Run[] {
  return [...below<Run>(stored, `run:${path}:`)].map(([, run]) => run).sort((a, b) => a.seq - b.seq);
}

/** What a feed goes on from. */
export function readFeed(stored: Stored, path: string) {
  const seq = (readRuns(stored, path).at(-1)?.seq ?? -1) + 1;
  return { windows: readWindows(stored, path), ledger: readLedger(stored, path), seq };
}

export function switchChange(connector: string, of: Switch): StateChange {
  return change(`connector:${connector}`, of);
}

export function readSwitch(stored: Stored, connector: string): Switch | null {
  return read<Switch>(stored, `connector:${connector}`);
}

/** What is known of the notice of an operating day. */
export interface Notice {
  readonly askedMs: number;
  readonly attempts: number;
  readonly notBeforeMs: number;
  /** `DAM 2026-11-03T10:00:00`: run and issue that were acted on. */
  readonly applied: readonly string[];
}

export function noticeChange(path: string, date: string, endMs: number, notice: Notice): StateChange {
  return change(`notice:${path}:${date}`, { ...notice, endMs });
}

export function readNotices(stored: Stored, path: string): Map<string, Notice> {
  return new Map(below<Notice>(stored, `notice:${path}:`));
}

/** Which process follows the connector. */
export interface Holder {
  readonly id: string;
  readonly worker: string;
  readonly host: string;
  readonly pid: number;
  readonly url: string | null;
  /** Since when it has it, and when it said so last, by its own clock. */
  readonly sinceMs: number;
  readonly seenMs: number;
}

export function holderChange(holder: Holder | null): StateChange {
  return holder === null ? { key: 'holder', value: null } : change('holder', holder);
}

export function readHolder(stored: Stored): Holder | null {
  return read<Holder>(stored, 'holder');
}

/** When the process that writes under this name began. */
export function lifeChange(startedMs: number): StateChange {
  return change('started', startedMs);
}

export function jobChange(job: BackfillJob): StateChange {
  return change(`backfill:${job.id}`, job);
}

export function readJobs(stored: Stored): BackfillJob[] {
  const jobs = [...below<BackfillJob>(stored, 'backfill:')].map(([, job]) => job);
  return jobs.sort((a, b) => a.createdMs - b.createdMs);
}
