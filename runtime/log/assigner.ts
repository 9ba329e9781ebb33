// Who of a group owns which partition: partition p of every topic goes to one worker, by a function of the
// workers' names alone. So two groups with the same workers agree without asking each other, a worker that
// comes or goes moves little, and nobody owns two more than another.
//
// Balanced rendezvous: each partition ranks the workers by a hash of both; the highest with room takes it.

/** For each partition number below `partitions`, the worker that owns it. Throws without workers. */
export function assignPartitions(workers: readonly string[], partitions: number): string[] {
  const names = [...new Set(workers)].sort();
  if (names.length === 0) throw new RangeError('a group without members owns nothing');
  const least = Math.floor(partitions / names.length);
  let withOneMore = partitions % names.length;
  const load = new Map(names.map((name) => [name, 0]));
  return Array.from({ length: partitions }, (_, partition) => {
    const ranked = names
      .map((name) => ({ name, weight: Bun.hash.xxHash64(`${name}/${partition}`) }))
      .sort((a, b) => (a.weight < b.weight ? 1 : -1));
    const room = ({ name }: { name: string }): boolean => {
      const owned = load.get(name) ?? 0;
      return owned < least || (owned === least && withOneMore > 0);
    };
    const owner = ranked.find(room)?.name ?? '';
    const owned = load.get(owner) ?? 0;
    if (owned === least) withOneMore -= 1;
    load.set(owner, owned + 1);
    return owner;
  });
}
