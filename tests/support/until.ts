// Waits for a condition by looking again, with a bound: the only way that tests wait for what happens
// elsewhere.

const LOOK_MS = 10;
/** No statement about speed: machines of tests are busy. */
const BOUND_MS = 120_000;

/** The first answer that is neither null, undefined nor false. Throws, naming `what`, when that is late. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  boundMs = BOUND_MS,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + boundMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ${boundMs} ms: ${what}`);
    await Bun.sleep(LOOK_MS);
  }
}
