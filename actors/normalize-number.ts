// Exact reading of prices and quantities. A value is a decimal of at most `precision` places; more places are
// rounded half to even on the decimal digits, never on binary fractions, so that 0.0000005 rounds the same
// everywhere. It leaves out what a value means: ranges belong to normalize-rules.ts.

import { type Rejection, reject } from './domain/rejection.ts';

/** Largest magnitude: with six decimal places such a value is still an exact integer when scaled by 10⁶. */
export const VALUE_MAX = 9_000_000_000;

/** Most decimal places a value may keep. */
export const PRECISION_MAX = 6;

const TEXT_CHARS_MAX = 64;
const PLAIN = /^[+-]?(?:\d+\.?\d*|\.\d+)$/;
/** As a recording of CAISO has it: `-7e-05`. */
const EXPONENT = /^[+-]?(?:\d{1,12}\.?\d{0,12}|\.\d{1,12})[eE][+-]?\d{1,2}$/;
const NOT_A_NUMBER = /^[+-]?(?:nan|inf(?:inity)?)$/i;
const SCIENTIFIC = /^([+-]?)(\d)(?:\.(\d+))?e-(\d+)$/;

export interface Decimal {
  readonly value: number;
  /** Places were lost. */
  readonly rounded: boolean;
}

/** Reads plain decimal text, such as `81.90019`, `.92`, `-.16`, `+1.5`, `29`, `-7e-05`. */
export function parseDecimal(text: string, precision: number, field: string): Decimal | Rejection {
  if (text.length > TEXT_CHARS_MAX) {
    return reject('wrong_type', `${field} has ${text.length} characters; a number has at most 64`, field);
  }
  if (EXPONENT.test(text)) return roundNumber(Number(text), precision, field);
  if (!PLAIN.test(text)) return refuseText(text, field);
  const dot = text.indexOf('.');
  if (dot >= 0 && text.length - dot - 1 > precision) return bounded(roundText(text, precision), field);
  return bounded({ value: Number(text), rounded: false }, field);
}

/** Reads a JSON number by its shortest decimal text. */
export function roundNumber(value: number, precision: number, field: string): Decimal | Rejection {
  if (!Number.isFinite(value)) return notFinite(String(value), field);
  if (Number.isInteger(value)) return bounded({ value, rounded: false }, field);
  const text = plainText(value);
  const places = text.length - text.indexOf('.') - 1;
  return bounded(places > precision ? roundText(text, precision) : { value, rounded: false }, field);
}

function refuseText(text: string, field: string): Rejection {
  if (NOT_A_NUMBER.test(text) || Math.abs(Number(text)) === Number.POSITIVE_INFINITY) {
    return notFinite(text, field);
  }
  return reject('wrong_type', `${field} is '${text}'; expected a plain decimal such as 29.5 or -.16`, field);
}

function notFinite(text: string, field: string): Rejection {
  return reject('not_finite', `${field} is '${text}'; expected a finite number`, field);
}

function bounded(decimal: Decimal, field: string): Decimal | Rejection {
  if (Math.abs(decimal.value) > VALUE_MAX) {
    return reject('out_of_range', `${field} is ${decimal.value}; its magnitude may be ${VALUE_MAX}`, field);
  }
  return decimal.value === 0 ? { value: 0, rounded: decimal.rounded } : decimal;
}

/** JavaScript writes fractions below 10⁻⁶ with an exponent; here they get their zeros back. */
function plainText(value: number): string {
  const text = String(value);
  const parts = SCIENTIFIC.exec(text);
  if (parts === null) return text;
  const [, sign = '', digit = '', more = '', exponent = '0'] = parts;
  return `${sign}0.${'0'.repeat(Number(exponent) - 1)}${digit}${more}`;
}

function roundText(text: string, precision: number): Decimal {
  const negative = text.startsWith('-');
  const digits = text.replace(/^[+-]/, '');
  const dot = digits.indexOf('.');
  const rest = digits.slice(dot + 1 + precision);
  const kept = BigInt(digits.slice(0, dot) + digits.slice(dot + 1, dot + 1 + precision) || '0');
  const half = `5${'0'.repeat(rest.length - 1)}`;
  const up = rest > half || (rest === half && kept % 2n === 1n);
  const scaled = up ? kept + 1n : kept;
  return { value: Number(`${negative ? '-' : ''}${scaled}e-${precision}`), rounded: /[1-9]/.test(rest) };
}
