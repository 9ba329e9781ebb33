// What a replay prints at its end: each file with what became of it, what was made, and the conservation
// table.

import type { Cursor } from '../../actors/connector.ts';
import type { Conservation } from '../conservation.ts';
import type { Unreadable } from '../recordings.ts';
import { number } from '../terminal.ts';

export interface ReplaySummary {
  /** Files that were found. */
  readonly files: number;
  readonly responses: readonly { readonly cursor: Cursor; readonly fresh: boolean }[];
  readonly unreadable: readonly Unreadable[];
  readonly ticks: number;
  /** From the first raw record on the log to the last row in ClickHouse. */
  readonly seconds: number;
  readonly rows: Readonly<Record<string, number>>;
  /** Null when it was stopped before the end: what is on its way is in no ledger yet. */
  readonly conservation: Conservation | null;
  readonly exported: readonly string[];
}

/** Refusals that are answers of an operator, not failures of a file. */
const ANSWERS: ReadonlySet<string> = new Set([
  'no_data',
  'invalid_request',
  'throttled',
  'in_process',
  'operator_error',
]);

/** Files that could not be used: unreadable, or of no known format. They make the exit code 1. */
export function failedFiles(summary: ReplaySummary): Unreadable[] {
  const refused = summary.responses.flatMap(({ cursor }): Unreadable[] => {
    const reason = cursor.refusal;
    if (reason === null || ANSWERS.has(reason.split(':')[0] ?? '')) return [];
    return [{ path: cursor.name, reason }];
  });
  return [...summary.unreadable, ...refused];
}

export function reportLines(summary: ReplaySummary): string[] {
  const lines: string[] = [];
  for (const { cursor, fresh } of summary.responses) lines.push(responseLine(cursor, fresh));
  const rate = summary.seconds > 0 ? Math.round(summary.ticks / summary.seconds) : 0;
  lines.push('');
  const seconds = summary.seconds.toFixed(1);
  lines.push(`${number(summary.ticks)} ticks in ${seconds} s: ${number(rate)} ticks/s to ClickHouse`);
  const rows = Object.entries(summary.rows).map(([what, count]) => `${number(count)} ${what}`);
  lines.push(`rows written: ${rows.join(', ')}`);
  for (const path of summary.exported) lines.push(`exported ${path}`);
  for (const { path, reason } of failedFiles(summary)) lines.push(`NOT USED ${path}: ${reason}`);
  const { conservation, responses, files } = summary;
  if (conservation !== null) return [...lines, '', ...conservationLines(conservation)];
  const done = `${number(responses.length)} of ${number(files)} files`;
  return [...lines, '', `stopped after ${done}: the same command with the same --data goes on from here`];
}

function responseLine(cursor: Cursor, fresh: boolean): string {
  const { name, rowsRead, rowsUsed, rowsRefused, total, refusal } = cursor;
  if (refusal !== null) return `  – ${name}: ${refusal}`;
  const again = fresh ? '' : ' (was on the log before)';
  const rows = `${number(rowsRead)} rows = ${number(rowsUsed)} used + ${number(rowsRefused)} refused`;
  return `  ✓ ${name}: ${rows} → ${number(total)} observations${again}`;
}

function conservationLines({ checks, balanced, stages }: Conservation): string[] {
  const header = [
    'service',
    'topic',
    'read',
    'first',
    'revision',
    'duplicate',
    'rejected',
    'parked',
    'forwarded',
  ];
  const rows = stages
    .filter(({ ledger }) => ledger.read > 0)
    .map(({ group, topic, ledger }) => [
      group.replace('-service', ''),
      topic,
      ...[ledger.read, ledger.first, ledger.revision, ledger.duplicate, ledger.rejected].map(number),
      ...[ledger.parked, ledger.forwarded].map(number),
    ]);
  const off = checks.filter((each) => each.off !== 0);
  return [
    ...columns([header, ...rows]),
    '',
    ...off.map(
      (each) => `  OFF BY ${number(each.off)}: ${each.what}: ${number(each.left)} ≠ ${number(each.right)}`,
    ),
    balanced
      ? `conservation: 0 (${checks.length} checks over everything this data directory has seen)`
      : `conservation: DOES NOT HOLD (${off.length} of ${checks.length} checks): DataLoss`,
  ];
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, n) => Math.max(...rows.map((row) => (row[n] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, n) => (n < 2 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
