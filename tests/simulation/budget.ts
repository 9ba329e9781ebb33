// How much simulation one run of the tests carries out: `SIM_SEEDS` fresh seeds (200) of 300 records, so that
// it stays far below three minutes on two cores; `bun run sim` runs 1,000 records a seed.

export const RECORDS = 300;
export const SEEDS_AT_ONCE = 20;

/** Fresh each time, in runs of `atOnce`, printed so that any can be run again. */
export function freshSeeds(atOnce: number): number[][] {
  const count = Number(process.env.SIM_SEEDS ?? 200);
  const first = crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
  console.log(`simulation: seeds ${first} to ${first + count - 1}`);
  const seeds = Array.from({ length: count }, (_, n) => first + n);
  return Array.from({ length: Math.ceil(count / atOnce) }, (_, n) =>
    seeds.slice(n * atOnce, (n + 1) * atOnce),
  );
}
