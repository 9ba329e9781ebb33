// The live connectors of this process over the real ways out: the system's network, and turns that all
// processes of the machine share. They begin when the pipeline stands, and wait for a log that is away.

import { systemClock } from '../clock.ts';
import type { Intake } from '../intake.ts';
import { LogFault } from '../log/log-fault.ts';
import { REGISTRY } from '../startup.ts';
import type { ConnectorTelemetry } from '../telemetry.ts';
import { Connectors } from './connectors.ts';
import { systemFetch } from './fetch.ts';
import type { Self } from './hold.ts';
import { machineLimiter } from './host-limiter.ts';
import type { ConnectorPlan } from './settings.ts';

const AGAIN_MS = 1_000;

export function openConnectors(
  intake: Intake,
  plans: readonly ConnectorPlan[],
  telemetry: ConnectorTelemetry,
  secret: (name: string) => string | null,
  self: Self,
): Connectors {
  return new Connectors({
    intake,
    plans,
    self,
    requested: (market, endpoint, seconds) => telemetry.requested(market, endpoint, seconds),
    ran: (market, run) => telemetry.ran(market, run),
    requests: {
      registry: REGISTRY,
      fetch: systemFetch(systemClock),
      limiter: machineLimiter(),
      nowMs: systemClock.nowMs,
      tenantId: intake.tenantId,
      secret,
      found: ({ cause, decision }) => {
        const about = { service: 'connectors', actor: 'connectors', cause, decision, budget_left: null };
        intake.record({ kind: 'note', ...about });
      },
    },
  });
}

/** Resolves when every feed has begun, or at a stop. */
export async function startConnectors(of: Connectors, intake: Intake, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    try {
      return await of.start();
    } catch (error) {
      if (!(error instanceof LogFault && error.retryable)) throw error;
      const about = { service: 'connectors', actor: 'connectors', cause: error.message, budget_left: null };
      intake.record({
        kind: 'dependency_down',
        ...about,
        decision: 'tried again; nothing is asked meanwhile',
      });
      await new Promise<void>((done) => systemClock.after(AGAIN_MS, done));
    }
  }
}
