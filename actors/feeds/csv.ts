// Comma-separated rows: papaparse's owner. Cells are text, verbatim; columns are found by name.

import Papa from 'papaparse';

export interface Table {
  /** Position of each named column. A name that stands twice is found where it stands first. */
  readonly columns: ReadonlyMap<string, number>;
  readonly rows: readonly (readonly string[])[];
}

/** Every row of the text, empty lines left out. Never throws. */
export function csvRows(text: string): readonly (readonly string[])[] {
  const plain = !text.includes('"');
  const { data } = Papa.parse<string[]>(text, { delimiter: ',', skipEmptyLines: true, fastMode: plain });
  return data;
}

/** The first row as names, the rest as rows. */
export function csvTable(text: string): Table {
  const [header = [], ...rows] = csvRows(text);
  const columns = new Map<string, number>();
  for (const [at, name] of header.entries()) {
    const trimmed = name.replace(/^\uFEFF/, '').trim();
    if (!columns.has(trimmed)) columns.set(trimmed, at);
  }
  return { columns, rows };
}
