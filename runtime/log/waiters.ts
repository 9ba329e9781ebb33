// Who waits for something to be appended to a log. Whoever was there when `wake` is called is woken; an abort
// lets go of one alone.

interface Waiter {
  readonly topics: readonly string[];
  wake(): void;
}

export class Waiters {
  readonly #waiting = new Set<Waiter>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Who waits now. */
  all(): readonly Waiter[] {
    return [...this.#waiting];
  }

  /** Resolves when one of the topics is woken, all are, or the signal aborts. */
  wait(topics: readonly string[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const waiter = { topics, wake };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  wake(topics: ReadonlySet<string>, waiting = this.all()): void {
    for (const waiter of waiting) if (waiter.topics.some((topic) => topics.has(topic))) waiter.wake();
  }

  wakeAll(): void {
    for (const waiter of this.all()) waiter.wake();
  }
}
