// Which errors of brokers end a start, and which are waited out.

import { expect, test } from 'bun:test';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { asKafkaFault } from '../../../../runtime/log/kafka-fault.ts';

const faultOf = (code: number) => asKafkaFault(createErrorFromCode(code), 'create topics', 'localhost:9092');

test('a broker that has just come back counts for no copy yet: that passes', () => {
  const fault = faultOf(38);
  expect(fault.retryable).toBe(true);
  expect(fault.message).toContain('fewer brokers are up than copies are asked for');
});

test('a policy of the brokers does not', () => {
  expect(faultOf(44).retryable).toBe(false);
});
