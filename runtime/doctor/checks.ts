// The doctor's checks in the order in which they are told.

import type { Check } from './check.ts';
import { kafka } from './kafka.ts';
import { bunVersion, dataDirectory, logDirectory, ports } from './machine.ts';
import { clickhouse, redis } from './servers.ts';

export const CHECKS: readonly Check[] = [
  bunVersion,
  dataDirectory,
  logDirectory,
  ports,
  kafka,
  clickhouse,
  redis,
];
