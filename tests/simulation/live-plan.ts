// A connector of one feed for simulations: one node, the operator's own pace.

import { caiso } from '../../actors/feeds/caiso.ts';
import { sources } from '../../actors/feeds/markets.ts';
import type { ConnectorPlan } from '../../runtime/live/settings.ts';

const HOUR = 3_600_000;
export const NODE = 'TH_SP15_GEN-APND';

export function plan(name: string, source: string): ConnectorPlan {
  const found = sources.find((each) => each.name === source);
  if (found === undefined) throw new Error(source);
  return {
    name,
    market: caiso,
    description: '',
    enabled: true,
    bases: { oasis: 'https://oasis.example/oasisapi' },
    origins: new Set(['https://oasis.example']),
    privateAddresses: false,
    requestIntervalMs: 5_000,
    timeoutMs: 120_000,
    bytesMax: 1e9,
    retry: { initialMs: 60_000, maxMs: HOUR, jitter: 0.2 },
    historyDays: 400,
    breaker: { threshold: 5, pauseMs: 60_000, pauseMsMax: 600_000 },
    feeds: [{ name: 'prices', source: found, nodes: [NODE], daysBack: 3 }],
  };
}
