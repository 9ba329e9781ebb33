// Comma-separated rows: papaparse's owner. Cells are text, verbatim; columns are found by name.

import Papa from 'papaparse';

export interface Table {
  /** Position of each named column. A name that stands twice is found where it stands first. */
  readonly columns: ReadonlyMap<string, number>;
  /** Cells of the header. */
  readonly width: number;
  readonly rows: readonly (readonly string[])[];
}

/**
 * Every row of the text, empty lines left out. Never throws. Quotes that do not pair are taken for text, so
 * that one stray quote costs its row and not every row after it.
 */
export function csvRows(text: string): readonly (readonly string[])[] {
  const read = (plain: boolean) =>
    Papa.parse<string[]>(text, { delimiter: ',', skipEmptyLines: true, fastMode: plain });
  if (!text.includes('"')) return read(true).data;
  const { data, errors } = read(false);
  return errors.some((each) => each.type === 'Quotes') ? read(true).data : data;
}

/** Why a row cannot be trusted, or null: a cut or shifted row has not as many cells as the header. */
export function misfit(cells: readonly string[], header: number): string | null {
  return cells.length === header ? null : `the row has ${cells.length} cells, the header ${header}`;
}

/** The first row as names, the rest as rows. */
export function csvTable(text: string): Table {
  const [header = [], ...rows] = csvRows(text);
  const columns = new Map<string, number>();
  for (const [at, name] of header.entries()) {
    const trimmed = name.replace(/^\uFEFF/, '').trim();
    if (!columns.has(trimmed)) columns.set(trimmed, at);
  }
  return { columns, width: header.length, rows };
}
