// Whether a server is away, by what it says when it is asked: a refusal is believed at once; an answer that
// does not come, only when that goes on, because a busy server is not a dead one.

import type { Clock } from './host.ts';

/** Whoever asks for health waits no longer for one server. */
const ANSWER_MS_MAX = 2_000;
/** Late for longer than this, a server counts as away. */
const LATE_MS_MAX = 10_000;

export interface Probed {
  /** degraded: late, and answered not long ago. */
  readonly status: 'up' | 'degraded' | 'down';
  /** Why it is not up; null when it is. */
  readonly cause: string | null;
}

export class Probe {
  readonly #name: string;
  readonly #ask: () => Promise<string | null>;
  readonly #clock: Clock;
  /** When the first was asked of those questions in a row that were late; null: the last was not. */
  #lateFromMs: number | null = null;

  /** `name` stands before a cause that is made here; `ask`: null when it is well, else why not. */
  constructor(name: string, ask: () => Promise<string | null>, clock: Clock) {
    this.#name = name;
    this.#ask = ask;
    this.#clock = clock;
  }

  /** Never throws, and takes two seconds at the most. */
  async look(): Promise<Probed> {
    const fromMs = this.#clock.nowMs();
    const answer = await this.#answer();
    if (answer !== LATE) {
      this.#lateFromMs = null;
      return { status: answer === null ? 'up' : 'down', cause: answer };
    }
    this.#lateFromMs ??= fromMs;
    const lateMs = this.#clock.nowMs() - this.#lateFromMs;
    const cause = `${this.#name}: no answer within ${ANSWER_MS_MAX} ms`;
    return { status: lateMs > LATE_MS_MAX ? 'down' : 'degraded', cause };
  }

  async #answer(): Promise<string | null | typeof LATE> {
    const { promise: late, resolve } = Promise.withResolvers<typeof LATE>();
    const called = this.#clock.after(ANSWER_MS_MAX, () => resolve(LATE));
    const why = (error: unknown): string => (error instanceof Error ? error.message : String(error));
    try {
      return await Promise.race([this.#ask().catch(why), late]);
    } finally {
      called();
    }
  }
}

const LATE = Symbol('late');
