// The question who leads what, and its answer as the connections keep it.

import { type BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { Request } from './kafka-exchange.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Metadata {
  readonly nodes: ReadonlyMap<number, Address>;
  readonly controller: number;
  /** Leaders by partition; −1: none now. */
  readonly leaders: ReadonlyMap<string, readonly number[]>;
  /** Copies of each topic, those on brokers that are away included: of its partition with the fewest. */
  readonly copies: ReadonlyMap<string, number>;
}

const UNKNOWN_TOPIC = 3;

/** Null: of all topics. */
export function metadataRequest(topics: readonly string[] | null): Request<Metadata> {
  const body = new BytesWriter();
  if (topics === null) body.int32(-1);
  else body.array(topics, (topic) => body.string(topic));
  body.int8(0);
  return { apiKey: 3, apiName: 'Metadata', apiVersion: 4, body, read: readMetadata };
}

function readMetadata(answer: BytesReader): Metadata {
  answer.int32();
  const nodes = new Map<number, Address>();
  answer.array(() => {
    const id = answer.int32();
    nodes.set(id, { host: answer.string() ?? '', port: answer.int32() });
    answer.string();
  });
  answer.string();
  const controller = answer.int32();
  const leaders = new Map<string, readonly number[]>();
  const copies = new Map<string, number>();
  answer.array(() => {
    const missing = answer.int16() === UNKNOWN_TOPIC;
    const name = answer.string() ?? '';
    answer.int8();
    const found: number[] = [];
    let fewest = Number.POSITIVE_INFINITY;
    answer.array(() => {
      answer.int16();
      const partition = answer.int32();
      found[partition] = answer.int32();
      fewest = Math.min(fewest, answer.array(() => answer.int32()).length);
      answer.array(() => answer.int32());
    });
    if (missing) return;
    leaders.set(name, found);
    copies.set(name, fewest);
  });
  return { nodes, controller, leaders, copies };
}
