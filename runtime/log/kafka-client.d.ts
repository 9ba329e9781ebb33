// What the Kafka log uses of kafkajs 2.2.4 below its public face: connections with TLS and SASL, and the
// encoding of requests. Its producer and its consumer are not used: the first loses and doubles records when
// leaders move, the second hides when it has died. Pinned; no type of it is published.

declare module 'kafkajs/src/network/connectionPool.js' {
  export interface Exchange<T> {
    request: { apiKey: number; apiName: string; apiVersion: number; encode(): Promise<object> };
    response: { decode(answer: Uint8Array): Promise<{ value: T }>; parse(decoded: { value: T }): Promise<T> };
    requestTimeout?: number;
  }

  export default class ConnectionPool {
    constructor(options: object);
    send: <T>(exchange: Exchange<T>) => Promise<T>;
    destroy(): Promise<void>;
  }
}

declare module 'kafkajs/src/network/socketFactory.js' {
  import type { Socket } from 'node:net';

  export type SocketFactory = (to: object) => Socket;
  export default function socketFactory(): SocketFactory;
}

declare module 'kafkajs/src/loggers/index.js' {
  export function createLogger(options: {
    level: number;
    logCreator: () => (entry: { level: number; log: { message: string } }) => void;
  }): object;
}

declare module 'kafkajs/src/broker/index.js' {
  import type ConnectionPool from 'kafkajs/src/network/connectionPool.js';

  interface Member {
    memberId: string;
    memberMetadata: Buffer;
  }

  interface TopicPartitions<P> {
    topic: string;
    partitions: P[];
  }

  interface InTransaction {
    transactionalId: string;
    producerId: string;
    producerEpoch: number;
  }

  interface Configuration {
    resourceName: string;
    configEntries: { configName: string; configValue: string | null }[];
  }

  export default class Broker {
    constructor(options: { connectionPool: ConnectionPool; logger: object; allowAutoTopicCreation: boolean });
    /** By API; null before it is connected. */
    versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null;
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    isConnected(): boolean;
    findGroupCoordinator(of: { groupId: string; coordinatorType: number }): Promise<{
      coordinator: { nodeId: number; host: string; port: number };
    }>;
    listOffsets(of: {
      isolationLevel: number;
      topics: TopicPartitions<{ partition: number; timestamp: number }>[];
    }): Promise<{ responses: TopicPartitions<{ partition: number; errorCode: number; offset: string }>[] }>;
    joinGroup(of: {
      groupId: string;
      sessionTimeout: number;
      rebalanceTimeout: number;
      memberId: string;
      groupProtocols: { name: string; metadata: Buffer }[];
    }): Promise<{ generationId: number; leaderId: string; memberId: string; members: Member[] }>;
    syncGroup(of: {
      groupId: string;
      generationId: number;
      memberId: string;
      groupAssignment: { memberId: string; memberAssignment: Buffer }[];
    }): Promise<{ memberAssignment: Buffer }>;
    heartbeat(of: { groupId: string; groupGenerationId: number; memberId: string }): Promise<object>;
    leaveGroup(of: { groupId: string; memberId: string }): Promise<object>;
    offsetFetch(of: { groupId: string; topics: TopicPartitions<{ partition: number }>[] }): Promise<{
      responses: TopicPartitions<{ partition: number; offset: string; metadata: string | null }>[];
    }>;
    offsetCommit(of: {
      groupId: string;
      groupGenerationId: number;
      memberId: string;
      topics: TopicPartitions<{ partition: number; offset: string; metadata?: string }>[];
    }): Promise<object>;
    createTopics(of: {
      topics: {
        topic: string;
        numPartitions: number;
        replicationFactor: number;
        configEntries: { name: string; value: string }[];
      }[];
      timeout: number;
    }): Promise<object>;
    createPartitions(of: {
      topicPartitions: { topic: string; count: number }[];
      timeout: number;
    }): Promise<object>;
    describeConfigs(of: { resources: { type: number; name: string; configNames: string[] }[] }): Promise<{
      resources: Configuration[];
    }>;
    initProducerId(of: { transactionalId: string; transactionTimeout: number }): Promise<{
      producerId: string;
      producerEpoch: number;
    }>;
    addPartitionsToTxn(of: InTransaction & { topics: TopicPartitions<number>[] }): Promise<object>;
    addOffsetsToTxn(of: InTransaction & { groupId: string }): Promise<object>;
    txnOffsetCommit(
      of: InTransaction & {
        groupId: string;
        topics: TopicPartitions<{ partition: number; offset: string; metadata: string }>[];
      },
    ): Promise<object>;
    endTxn(of: InTransaction & { transactionResult: boolean }): Promise<object>;
  }
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    writeBuffer(value: Buffer): this;
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  export function createErrorFromCode(code: number): Error & { type: string };
}
