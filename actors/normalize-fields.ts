// Reads typed fields from an object of unknown origin. The first field at fault becomes the rejection and
// later reads go on with a neutral value, so that a caller reads everything and asks once, at the end.
// Absent and null are the same, unless the configuration refuses explicit nulls.

import { type Rejection, reject } from './domain/rejection.ts';
import { parseInstant, toUs } from './domain/time.ts';
import { type JsonObject, kindOf } from './normalize-decode.ts';
import { type Decimal, parseDecimal, roundNumber } from './normalize-number.ts';

const TEXT_CHARS_MAX = 512;

/** Instants outside of these years are units mixed up, not market data. Microseconds. */
const EARLIEST_US = toUs(Date.UTC(1990, 0, 1));
const LATEST_US = toUs(Date.UTC(2100, 0, 1));

export interface ReaderSettings {
  /** An explicit null counts as absent; else it is refused. */
  readonly allowNullValues: boolean;
  /** Decimal places that a value keeps, 0–6. */
  readonly numericPrecision: number;
  /** Fields whose numbers may be written as text. */
  readonly numericText: (field: string) => boolean;
}

export class FieldReader {
  /** Findings that do not refuse the record, such as `price_rounded`. */
  readonly flags: string[] = [];
  #rejection: Rejection | null = null;

  constructor(
    readonly record: JsonObject,
    readonly settings: ReaderSettings,
  ) {}

  /** The first fault, or null when every field read so far was good. */
  get rejection(): Rejection | null {
    return this.#rejection;
  }

  fail(rejection: Rejection): void {
    this.#rejection ??= rejection;
  }

  has(field: string): boolean {
    return this.#value(field) !== undefined;
  }

  text(field: string): string {
    return this.#required(field, this.optionalText(field)) ?? '';
  }

  /** A string of 1–512 characters, or null. */
  optionalText(field: string): string | null {
    const found = this.#value(field);
    if (found === undefined) return null;
    if (typeof found === 'string' && found.length > 0 && found.length <= TEXT_CHARS_MAX) return found;
    this.#wrongType(field, found, `text of 1–${TEXT_CHARS_MAX} characters`);
    return null;
  }

  /** Microseconds since the epoch. */
  instantUs(field: string): number {
    return this.#required(field, this.optionalInstantUs(field)) ?? 0;
  }

  /** Whole microseconds, or ISO 8601 text with its offset. */
  optionalInstantUs(field: string): number | null {
    const found = this.#value(field);
    if (found === undefined) return null;
    if (typeof found !== 'number' && typeof found !== 'string') {
      this.#wrongType(field, found, 'whole microseconds since the epoch');
      return null;
    }
    const us = typeof found === 'number' ? found : isoUs(found);
    if (us !== null && Number.isSafeInteger(us) && us >= EARLIEST_US && us < LATEST_US) return us;
    const expected = 'whole microseconds since the epoch, or ISO 8601 with an offset, in 1990–2099';
    this.fail(reject('bad_time', `${field} is ${kindOf(found)}; expected ${expected}`, field));
    return null;
  }

  /** A price or quantity, rounded to the configured places (flagged), or null. */
  decimal(field: string): number | null {
    const found = this.#value(field);
    if (found === undefined) return null;
    const { numericPrecision, numericText } = this.settings;
    if (typeof found === 'number') return this.#rounded(field, roundNumber(found, numericPrecision, field));
    if (typeof found === 'string' && numericText(field)) {
      return this.#rounded(field, parseDecimal(found.trim(), numericPrecision, field));
    }
    this.#wrongType(field, found, 'a number');
    return null;
  }

  /** The operator's verbatim text as a value. */
  decimalText(text: string, field: string): number | null {
    return this.#rounded(field, parseDecimal(text, this.settings.numericPrecision, field));
  }

  optionalInteger(field: string): number | null {
    const found = this.#value(field);
    if (found === undefined) return null;
    if (typeof found === 'number' && Number.isSafeInteger(found)) return found;
    this.#wrongType(field, found, 'an integer');
    return null;
  }

  #rounded(field: string, decimal: Decimal | Rejection): number | null {
    if ('reason' in decimal) {
      this.fail(decimal);
      return null;
    }
    if (decimal.rounded) this.flags.push(`${field}_rounded`);
    return decimal.value;
  }

  #value(field: string): unknown {
    const found = Object.hasOwn(this.record, field) ? this.record[field] : undefined;
    if (found !== null) return found;
    if (!this.settings.allowNullValues) this.#wrongType(field, null, 'a value');
    return undefined;
  }

  #required<T>(field: string, found: T | null): T | null {
    if (found === null) this.fail(reject('missing_field', `${field} is absent; it is required`, field));
    return found;
  }

  #wrongType(field: string, found: unknown, expected: string): void {
    this.fail(reject('wrong_type', `${field} is ${kindOf(found)}; expected ${expected}`, field));
  }
}

function isoUs(text: string): number | null {
  const ms = parseInstant(text);
  return ms === null ? null : toUs(ms);
}
