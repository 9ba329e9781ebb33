// Questions and answers between two threads: each side asks and is asked over one port. An answer, a failure
// or the end of the other side settles every question; the order of what one side sends is kept.

import { LogFault } from '../log/log-fault.ts';

interface ToldFault {
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly retryable: boolean;
}

/** As it arrives. */
export type Message<Call> =
  | { readonly kind: 'ask'; readonly id: number; readonly call: Call }
  | { readonly kind: 'tell'; readonly call: Call }
  | { readonly kind: 'cancel'; readonly id: number }
  /** `never`: whoever asked says what it is. */
  | { readonly kind: 'answer'; readonly id: number; readonly value: never }
  | { readonly kind: 'fault'; readonly id: number; readonly fault: ToldFault };

interface Waiting {
  answered(value: never): void;
  failed(error: Error): void;
}

/** `Out`: what this side asks and tells; `In`: what it is asked and told. */
export class Wire<Out, In> {
  readonly #send: (message: object) => void;
  readonly #handle: (call: In, signal: AbortSignal) => unknown;
  readonly #waiting = new Map<number, Waiting>();
  readonly #served = new Map<number, AbortController>();
  #asked = 0;
  #ended: Error | null = null;

  /** `handle` answers, at once or by a promise; what it throws reaches whoever asked. */
  constructor(send: (message: object) => void, handle: (call: In, signal: AbortSignal) => unknown) {
    this.#send = send;
    this.#handle = handle;
  }

  /** Rejects with the other side's failure, or when it ends; with the signal's reason when that aborts. */
  ask<T>(call: Out, signal?: AbortSignal): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    this.#asked += 1;
    const id = this.#asked;
    return new Promise<T>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(id);
        this.#send({ kind: 'cancel', id });
        reject(signal?.reason);
      };
      const settled = (): void => signal?.removeEventListener('abort', abort);
      this.#waiting.set(id, {
        answered: (value) => {
          settled();
          resolve(value);
        },
        failed: (error) => {
          settled();
          reject(error);
        },
      });
      signal?.addEventListener('abort', abort, { once: true });
      this.#send({ kind: 'ask', id, call });
    });
  }

  /** No answer is waited for. */
  tell(call: Out): void {
    if (this.#ended === null) this.#send({ kind: 'tell', call });
  }

  /** The other side is gone: what was asked fails, and what it had asked is given up. */
  end(cause: Error): void {
    if (this.#ended !== null) return;
    this.#ended = cause;
    for (const { failed } of this.#waiting.values()) failed(cause);
    this.#waiting.clear();
    for (const each of this.#served.values()) each.abort();
    this.#served.clear();
  }

  /** A message of the other side has arrived. */
  receive(message: Message<In>): void {
    switch (message.kind) {
      case 'ask':
        return void this.#serve(message.id, message.call);
      case 'tell':
        return void this.#handle(message.call, new AbortController().signal);
      case 'cancel':
        return this.#served.get(message.id)?.abort();
      case 'answer':
        this.#waiting.get(message.id)?.answered(message.value);
        return void this.#waiting.delete(message.id);
      case 'fault':
        this.#waiting.get(message.id)?.failed(faultOf(message.fault));
        this.#waiting.delete(message.id);
    }
  }

  async #serve(id: number, call: In): Promise<void> {
    const stop = new AbortController();
    this.#served.set(id, stop);
    try {
      const value = await this.#handle(call, stop.signal);
      if (this.#ended === null) this.#send({ kind: 'answer', id, value });
    } catch (error) {
      if (this.#ended === null) this.#send({ kind: 'fault', id, fault: toldFault(error) });
    } finally {
      this.#served.delete(id);
    }
  }
}

function toldFault(error: unknown): ToldFault {
  if (error instanceof LogFault) {
    const { name, message, code, retryable } = error;
    return { name, message, code, retryable };
  }
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { name, message, code: '', retryable: false };
}

/** A fault of the log stays one; a RangeError too. */
function faultOf({ name, message, code, retryable }: ToldFault): Error {
  if (name === 'LogFault') return new LogFault(message, code, retryable);
  return name === 'RangeError' ? new RangeError(message) : new Error(message);
}
