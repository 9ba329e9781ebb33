// From bytes of unknown origin to a JSON object that is safe to read: bounded in size and depth, valid UTF-8,
// and without keys that could reach a prototype. Never throws. What the fields mean is not its concern.

import { type Rejection, reject } from './domain/rejection.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export type Decoded = { readonly object: JsonObject } | { readonly rejection: Rejection };

/** Levels of nesting that a record may have. */
export const DEPTH_MAX = 64;

const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
const utf8 = new TextDecoder('utf-8', { fatal: true });

export function decodeObject(value: Uint8Array, bytesMax: number): Decoded {
  if (value.byteLength > bytesMax) {
    return refused('too_large', `the record has ${value.byteLength} bytes; at most ${bytesMax} are read`);
  }
  const parsed = parse(value);
  if ('rejection' in parsed) return parsed;
  const found = parsed.json;
  if (!isObject(found)) return refused('not_an_object', `the record is ${kindOf(found)}; expected an object`);
  const rejection = inspect(found, 1);
  return rejection === null ? { object: found } : { rejection };
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a value is, in words for a person; strings and numbers are quoted, cut to 60 characters. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'absent';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : String(value);
  return `the ${typeof value} ${text}`;
}

function refused(reason: Rejection['reason'], detail: string): Decoded {
  return { rejection: reject(reason, detail) };
}

function parse(value: Uint8Array): { readonly json: unknown } | { readonly rejection: Rejection } {
  try {
    const json: unknown = JSON.parse(utf8.decode(value));
    return { json };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return { rejection: reject('malformed_json', `the record is no JSON text in UTF-8: ${why}`) };
  }
}

function inspect(value: unknown, depth: number): Rejection | null {
  if (typeof value !== 'object' || value === null) return null;
  if (depth > DEPTH_MAX) return reject('too_deep', `the record nests deeper than ${DEPTH_MAX} levels`);
  if (Array.isArray(value)) return firstRejection(value, depth);
  for (const [key, inner] of Object.entries(value)) {
    if (FORBIDDEN.has(key)) return reject('forbidden_key', `the record has a key '${key}'`, key);
    const rejection = inspect(inner, depth + 1);
    if (rejection !== null) return rejection;
  }
  return null;
}

function firstRejection(items: readonly unknown[], depth: number): Rejection | null {
  for (const inner of items) {
    const rejection = inspect(inner, depth + 1);
    if (rejection !== null) return rejection;
  }
  return null;
}
