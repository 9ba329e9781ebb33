// The doctor's checks in the order in which they are told. Brokers get theirs here, beside the servers.

import type { Check } from './check.ts';
import { bunVersion, dataDirectory, logDirectory, ports } from './machine.ts';
import { clickhouse, redis } from './servers.ts';

export const CHECKS: readonly Check[] = [bunVersion, dataDirectory, logDirectory, ports, clickhouse, redis];
