// Grouping in order of appearance: what every part of the oracle does by hand.

export function groupBy<T>(rows: readonly T[], key: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const of = key(row);
    const found = groups.get(of);
    if (found === undefined) groups.set(of, [row]);
    else found.push(row);
  }
  return groups;
}
