// Randomness of tests: a seed that is printed first and replays the run, and what is drawn from it.

/** The seed of this run: `SEED` when it is set, else fresh. Printed, so that a failure can be replayed. */
export function seedOf(what: string): number {
  const seed = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  console.log(`${what}: SEED=${seed}`);
  return seed;
}

/** Numbers in [0, 1): xorshift over 32 bits. */
export function randomOf(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function shuffled<T>(of: readonly T[], random: () => number): T[] {
  const out = [...of];
  for (let at = out.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    const [a, b] = [out[at], out[other]];
    if (a !== undefined && b !== undefined) {
      out[at] = b;
      out[other] = a;
    }
  }
  return out;
}
