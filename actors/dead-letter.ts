// Dead letters: a refused record with its reason and origin, as a record of its own. At most 64 KB of the
// original is carried; its full length and hash tell what was cut, and the whole body of a larger one goes to
// bronze in chunks, committed with the letter.

import type { Rejection } from './domain/rejection.ts';
import { type DeadLetter, type DeadLetterBody, SCHEMA_VERSION } from './domain/wire.ts';

const ORIGINAL_BYTES_MAX = 65_536;
/** Of a body, before it is written as base64: a record of it stays below the bound of the log. */
const CHUNK_BYTES = 262_144;

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

/** The whole body, piece by piece; none for one that its letter holds. */
export function deadLetterBodies(letter: DeadLetter, original: Uint8Array): DeadLetterBody[] {
  if (original.length <= ORIGINAL_BYTES_MAX) return [];
  const chunks = Math.ceil(original.length / CHUNK_BYTES);
  return Array.from({ length: chunks }, (_, chunk) => {
    const bytes = original.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
    const id = new Bun.CryptoHasher('sha256').update(`${letter.event_id}/${chunk}`).digest('hex');
    return {
      event_id: id.slice(0, 32),
      trace_id: letter.trace_id,
      occurred_at: letter.occurred_at,
      tenant_id: letter.tenant_id,
      schema_version: letter.schema_version,
      producer: letter.producer,
      letter_id: letter.event_id,
      service: letter.service,
      origin_topic: letter.origin.topic,
      origin_partition: letter.origin.partition,
      origin_offset: letter.origin.offset,
      chunk,
      chunks,
      body: Buffer.from(bytes).toString('base64'),
      original_bytes: letter.original_bytes,
      original_sha256: letter.original_sha256,
    };
  });
}

const TRACE = /"trace_id":"([0-9a-zA-Z_-]{1,64})"/;

/** The trace of a record that may not be JSON at all: found by its text, in the first 64 KB. */
function traceOf(original: Uint8Array): string | null {
  return TRACE.exec(text.decode(original.subarray(0, ORIGINAL_BYTES_MAX)))?.[1] ?? null;
}
