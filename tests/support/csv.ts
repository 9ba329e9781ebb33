// A naive reader of the exported CSV: cells by the letter of RFC 4180, bars in the shape of the oracle.

import type { OracleBar } from '../oracle/bars.ts';

export function csvCells(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let quoted = false;
  for (let n = 0; n < text.length; n += 1) {
    const char = text[n];
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[n + 1] === '"') {
        cell += '"';
        n += 1;
      } else quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === ',' || char === '\n') {
      row.push(cell);
      cell = '';
      if (char === '\n') {
        rows.push(row);
        row = [];
      }
    } else cell += char;
  }
  return rows;
}

const TEXTS = new Set(['market', 'run', 'delivery_location', 'bar_size', 'bar_start', 'bar_end']);
const COLUMNS = 18;

/** Empty is null, true and false are truths, the rest of the columns are numbers. */
export function barsOfCsv(text: string): OracleBar[] {
  const [header = [], ...rows] = csvCells(text);
  return rows.map((row) => {
    const cells = header.slice(0, COLUMNS).map((column, n) => [column, cellValue(column, row[n] ?? '')]);
    const bar: OracleBar = Object.fromEntries(cells);
    return bar;
  });
}

function cellValue(column: string, cell: string): unknown {
  if (TEXTS.has(column)) return cell;
  if (cell === '') return null;
  if (cell === 'true' || cell === 'false') return cell === 'true';
  return Number(cell);
}
