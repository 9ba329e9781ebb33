// What a connector remembers on the log, in its writer's state: windows, the running total of rows, the
// history, who is switched off, and backfills. Keys are short paths; values are JSON.

import type { Cursor } from '../../actors/connector.ts';
import { readCoverage, type StoredCoverage, storeCoverage } from '../../actors/live/coverage.ts';
import type { Ledger } from '../../actors/live/pending.ts';
import type { WindowState } from '../../actors/live/plan.ts';
import type { Run } from '../../actors/live/run.ts';
import type { StateChange } from '../log/log.ts';
import { cursorKey } from '../raw-outputs.ts';
import type { BackfillJob } from './backfill.ts';

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

interface StoredWindow extends Omit<WindowState, 'coverage'> {
  readonly coverage: StoredCoverage;
}

/** Of windows that were remembered before these were. */
const ADDED = { failures: 0, askedMs: 0, lookedMs: 0 };

/** `path` is `<connector>/<feed>` everywhere below. */
export function windowChange(path: string, id: string, state: WindowState | null): StateChange {
  if (state === null) return { key: `window:${path}:${id}`, value: null };
  const stored: StoredWindow = { ...state, coverage: storeCoverage(state.coverage) };
  return change(`window:${path}:${id}`, stored);
}

export function readWindows(stored: Stored, path: string): Map<string, WindowState> {
  const windows = new Map<string, WindowState>();
  for (const [id, { coverage, ...state }] of below<StoredWindow>(stored, `window:${path}:`)) {
    windows.set(id, { ...ADDED, ...state, coverage: readCoverage(coverage) });
  }
  return windows;
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

export function runChange(path: string, run: Run): StateChange {
  return change(`run:${path}:${run.seq % RUNS_KEPT}`, run);
}

/** Oldest first. */
export function readRuns(stored: Stored, path: string): Run[] {
  return [...below<Run>(stored, `run:${path}:`)].map(([, run]) => run).sort((a, b) => a.seq - b.seq);
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
