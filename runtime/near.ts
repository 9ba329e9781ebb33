// Near matches: which known names look like one that is unknown. By shared pairs of letters (the Dice
// coefficient), which forgives a missing part, a swapped one and a typo alike.

function pairs(text: string): Set<string> {
  const upper = text.toUpperCase();
  const all = new Set<string>();
  for (let at = 0; at + 1 < upper.length; at += 1) all.add(upper.slice(at, at + 2));
  return all;
}

/**
 * Up to `limit` of `names` that share at least a quarter of their letter pairs with `wanted`, nearest first.
 * `textOf` is the part of a name that is compared.
 */
export function nearest(
  names: readonly string[],
  wanted: string,
  limit: number,
  textOf: (name: string) => string,
): string[] {
  const target = pairs(wanted);
  const scored: { name: string; score: number }[] = [];
  for (const name of names) {
    const own = pairs(textOf(name));
    let shared = 0;
    for (const pair of own) if (target.has(pair)) shared += 1;
    const score = (2 * shared) / Math.max(1, own.size + target.size);
    if (score >= 0.25) scored.push({ name, score });
  }
  scored.sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1));
  return scored.slice(0, limit).map((each) => each.name);
}
