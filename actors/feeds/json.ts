// Reading JSON of an operator as it comes: nothing of its shape is believed. Fields that are not there are
// undefined, what is no text is empty, and a row can always be shown to a person.

/** An own field of an object; undefined when there is none. */
export function field(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null && Object.hasOwn(of, name) ? Reflect.get(of, name) : undefined;
}

/** Strings and numbers as they stand; anything else is no text. */
export function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** A row for a person to look at. */
export function show(row: unknown): string {
  try {
    return JSON.stringify(row) ?? '';
  } catch {
    return 'a row that is nested too deeply to show';
  }
}
