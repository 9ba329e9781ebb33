// Dead letters: a refused record with its reason and origin, as a record of its own. At most 64 KB of the
// original is carried; its full length and hash tell what was cut, and the whole body stands in bronze.

import type { Rejection } from './domain/rejection.ts';
import { type DeadLetter, SCHEMA_VERSION } from './domain/wire.ts';

const ORIGINAL_BYTES_MAX = 65_536;

export interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
}

export interface LetterContext {
  readonly service: string;
  readonly tenantId: string;
  readonly nowMs: number;
}

/** `topic/partition/offset`: the natural key of a dead letter. */
export function originKey(of: Origin): string {
  return `${of.topic}/${of.partition}/${of.offset}`;
}

const text = new TextDecoder('utf-8', { fatal: false });

/** `event_id` is a hash of the origin: a record is refused by a service once, however often it is read. */
export function deadLetter(
  origin: Origin,
  original: Uint8Array,
  rejection: Rejection,
  context: LetterContext,
): DeadLetter {
  const id = new Bun.CryptoHasher('sha256').update(`${context.service}|${originKey(origin)}`).digest('hex');
  return {
    event_id: id.slice(0, 32),
    trace_id: traceOf(original) ?? id.slice(0, 32),
    occurred_at: context.nowMs * 1_000,
    tenant_id: context.tenantId,
    schema_version: SCHEMA_VERSION,
    producer: context.service,
    reason: rejection.reason,
    detail: rejection.detail,
    field: rejection.field ?? null,
    service: context.service,
    origin,
    original: text.decode(original.subarray(0, ORIGINAL_BYTES_MAX)),
    original_bytes: original.length,
    original_sha256: new Bun.CryptoHasher('sha256').update(original).digest('hex'),
  };
}

const TRACE = /"trace_id":"([0-9a-zA-Z_-]{1,64})"/;

/** The trace of a record that may not be JSON at all: found by its text, in the first 64 KB. */
function traceOf(original: Uint8Array): string | null {
  return TRACE.exec(text.decode(original.subarray(0, ORIGINAL_BYTES_MAX)))?.[1] ?? null;
}
