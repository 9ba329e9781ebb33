// What the stock Kafka tools print, as values.

export interface GroupRow {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly lag: number;
  /** `-` where nobody owns the partition. */
  readonly member: string;
}

/** Rows of `kafka-consumer-groups --describe`; a lag that it does not know (`-`) is 0. */
export function groupRows(text: string, group: string | null = null): GroupRow[] {
  const found: GroupRow[] = [];
  for (const line of text.split('\n')) {
    const [name = '', topic = '', partition = '', , , lag = '', member = ''] = line.trim().split(/\s+/);
    if (!/^\d+$/.test(partition) || (group !== null && name !== group)) continue;
    found.push({
      group: name,
      topic,
      partition: Number(partition),
      lag: lag === '-' ? 0 : Number(lag),
      member,
    });
  }
  return found;
}
