// Whether a server is away, by what it says when it is asked: a refusal is believed at once; an answer that
// does not come, only when that goes on, because a busy server is not a dead one.

import type { Clock } from './host.ts';
import type { DependencyView } from './views.ts';

/** Whoever asks for health waits no longer for one server. */
const ANSWER_MS_MAX = 2_000;
/** Without an answer for longer than this, a server counts as away. */
const SILENCE_MS_MAX = 10_000;

export interface Probed {
  /** Stands before a cause that is made here. */
  readonly name: string;
  readonly target: string;
  /** Its status when it answers. */
  readonly well: 'up' | 'embedded';
  /** Null when it is well, else why not. */
  readonly ask: () => Promise<string | null>;
}

interface Answer {
  readonly cause: string | null;
  /** A question that ends late and badly was given up by us: the server has said nothing. */
  readonly late: boolean;
}

export class Probe {
  readonly #of: Probed;
  readonly #clock: Clock;
  /** Under way; whoever looks meanwhile waits for the same answer. */
  #question: Promise<Answer> | null = null;
  /** When the first question was put that is not answered yet; null: the last one was. */
  #silentFromMs: number | null = null;

  constructor(of: Probed, clock: Clock) {
    this.#of = of;
    this.#clock = clock;
  }

  /** Never throws, and takes two seconds at the most. degraded: late, and not for long. */
  async look(): Promise<DependencyView> {
    const { target, well } = this.#of;
    this.#question ??= this.#put();
    const { cause, late } = await this.#inTime(this.#question);
    if (cause === null) return { status: well, target, cause };
    const silentMs = this.#clock.nowMs() - (this.#silentFromMs ?? this.#clock.nowMs());
    return { status: late && silentMs <= SILENCE_MS_MAX ? 'degraded' : 'down', target, cause };
  }

  async #put(): Promise<Answer> {
    const fromMs = this.#clock.nowMs();
    this.#silentFromMs ??= fromMs;
    const cause = await this.#of
      .ask()
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    const late = cause !== null && this.#clock.nowMs() - fromMs >= ANSWER_MS_MAX;
    if (!late) this.#silentFromMs = null;
    this.#question = null;
    return { cause, late };
  }

  async #inTime(question: Promise<Answer>): Promise<Answer> {
    const { promise: late, resolve } = Promise.withResolvers<Answer>();
    const cause = `${this.#of.name}: no answer within ${ANSWER_MS_MAX} ms`;
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
