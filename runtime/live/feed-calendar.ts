// Tells the calendar of a feed's run how far event time has come by what is on the log. Each telling waits
// until normalization has taken all before it, so that no calendar overtakes a tick; a stop waits for none of
// it, because what was not told is found again at the next start.

import { toUs } from '../../actors/domain/time.ts';
import type { Window } from '../../actors/feeds/source.ts';
import type { FeedSettings, States } from '../../actors/live/plan.ts';
import { reached } from '../../actors/live/progress.ts';
import type { Intake } from '../intake.ts';
import { calendarOutput, closedKey } from '../raw-outputs.ts';
import type { Stored } from './store.ts';

export class FeedCalendar {
  readonly #intake: Intake;
  readonly #writer: string;
  readonly #settings: FeedSettings;
  readonly #failed: (cause: string) => void;
  #telling: Promise<void> | null = null;
  #stopped = false;
  /** µs; told, and to be told. */
  #told = 0;
  #wanted = 0;

  constructor(intake: Intake, writer: string, settings: FeedSettings, failed: (cause: string) => void) {
    this.#intake = intake;
    this.#writer = writer;
    this.#settings = settings;
    this.#failed = failed;
  }

  restore(stored: Stored): void {
    const text = new TextDecoder().decode(stored.get(this.#key) ?? new Uint8Array());
    this.#told = Number(text);
    this.#wanted = this.#told;
  }

  /** Looks whether these windows brought it further. */
  look(states: States, windows: readonly Window[]): void {
    const { clock, closeAt } = this.#intake;
    const { market, source } = this.#settings;
    for (const window of windows) {
      const found = reached(this.#settings, states, window, clock.nowMs());
      if (found === null) continue;
      const endUs = toUs(found.endMs);
      const to = found.isDayEnd ? closeAt(market.market, source.run, endUs) : endUs;
      this.#wanted = Math.max(this.#wanted, to);
    }
    if (this.#wanted > this.#told) this.#telling ??= this.#tell();
  }

  stop(): void {
    this.#stopped = true;
  }

  get #key(): string {
    const { market, source } = this.#settings;
    return closedKey(`${market.market}:${source.run}`);
  }

  async #tell(): Promise<void> {
    const { log, settled, tenantId } = this.#intake;
    const { market, source } = this.#settings;
    try {
      while (this.#wanted > this.#told) {
        await settled();
        if (this.#stopped) return;
        const advanceTo = this.#wanted;
        const run = { market: market.market, run: source.run };
        const output = calendarOutput({ ...run, advanceTo, tenantId });
        const value = new TextEncoder().encode(String(advanceTo));
        await log.append(this.#writer, [output], [{ key: this.#key, value }]);
        this.#told = advanceTo;
      }
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
    } finally {
      this.#telling = null;
    }
  }
}
