// Whether a server is away, by what it says when it is asked: a refusal is believed at once; an answer that
// does not come, only when that goes on, because a busy server is not a dead one.

import type { Clock } from './host.ts';

/** Whoever asks for health waits no longer for one server. */
const ANSWER_MS_MAX = 2_000;
/** Without an answer for longer than this, a server counts as away. */
const SILENCE_MS_MAX = 10_000;

export interface Probed {
  /** degraded: late, and not for long. */
  readonly status: 'up' | 'degraded' | 'down';
  /** Why it is not up; null when it is. */
  readonly cause: string | null;
}

interface Answer {
  readonly cause: string | null;
  /** A question that ends late and badly was given up by us: the server has said nothing. */
  readonly late: boolean;
}

export class Probe {
  readonly #name: string;
  readonly #ask: () => Promise<string | null>;
  readonly #clock: Clock;
  /** Under way; whoever looks meanwhile waits for the same answer. */
  #question: Promise<Answer> | null = null;
  /** When the first question was put that is not answered yet; null: the last one was. */
  #silentFromMs: number | null = null;

  /** `name` stands before a cause that is made here; `ask`: null when it is well, else why not. */
  constructor(name: string, ask: () => Promise<string | null>, clock: Clock) {
    this.#name = name;
    this.#ask = ask;
    this.#clock = clock;
  }

  /** Never throws, and takes two seconds at the most. */
  async look(): Promise<Probed> {
    this.#question ??= this.#put();
    const { cause, late } = await this.#inTime(this.#question);
    if (cause === null) return { status: 'up', cause };
    const silentMs = this.#clock.nowMs() - (this.#silentFromMs ?? this.#clock.nowMs());
    return { status: late && silentMs <= SILENCE_MS_MAX ? 'degraded' : 'down', cause };
  }

  async #put(): Promise<Answer> {
    const fromMs = this.#clock.nowMs();
    this.#silentFromMs ??= fromMs;
    const cause = await this.#ask().catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    );
    const late = cause !== null && this.#clock.nowMs() - fromMs >= ANSWER_MS_MAX;
    if (!late) this.#silentFromMs = null;
    this.#question = null;
    return { cause, late };
  }

  async #inTime(question: Promise<Answer>): Promise<Answer> {
    const { promise: late, resolve } = Promise.withResolvers<Answer>();
    const cause = `${this.#name}: no answer within ${ANSWER_MS_MAX} ms`;
    // Not at once: when it was this process that stood still, the answer has come and is read in this turn.
    const end = (): unknown => setImmediate(() => resolve({ cause, late: true }));
    const cancel = this.#clock.after(ANSWER_MS_MAX, end);
    try {
      return await Promise.race([question, late]);
    } finally {
      cancel();
    }
  }
}
