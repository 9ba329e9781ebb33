// The connectors as a service with a port of its own, and what their state means for the health of whoever
// hosts them. An operator that does not answer is told in its words and never ends anything: the rest of the
// pipeline does its job, so it is a degradation.

import type { Connectors } from './live/connectors.ts';
import { causeOf, healthOf } from './live/views.ts';
import type { ServiceParts } from './service-views.ts';
import { logOf } from './service-views.ts';
import { CONNECTORS } from './services.ts';
import type { ConnectorTelemetry, ProcessTelemetry } from './telemetry.ts';
import type { DependencyView, HealthView, ServiceView } from './views.ts';

const STATUS = {
  healthy: 'up',
  degraded: 'degraded',
  unhealthy: 'down',
  disabled: 'degraded',
  standby: 'standby',
} as const;
/** Nothing is wrong. */
const WELL: ReadonlySet<DependencyView['status']> = new Set(['up', 'standby']);

/** Each connector by name, as a dependency. */
export function operators(of: Connectors, nowMs: number): Readonly<Record<string, DependencyView>> {
  return Object.fromEntries(
    of.all.map((connector) => {
      const { status } = healthOf(connector, nowMs);
      const target = [...connector.plan.origins].join(', ');
      return [connector.plan.name, { status: STATUS[status], target, cause: causeOf(connector, nowMs) }];
    }),
  );
}

/** What is wrong with them in one sentence; null when nothing is. */
export function trouble(of: Readonly<Record<string, DependencyView>>): string | null {
  const told = Object.entries(of).flatMap(([name, { status, cause }]) =>
    WELL.has(status) ? [] : [`${name}: ${cause ?? status}`],
  );
  return told.length === 0 ? null : told.join('; ');
}

export function connectorsService(
  parts: Omit<ServiceParts, 'telemetry'>,
  telemetry: ConnectorTelemetry,
  process: ProcessTelemetry,
): ServiceView {
  const { name, description } = CONNECTORS;
  const ready = () => {
    if (parts.draining()) return { ready: false, cause: 'draining' };
    const started = parts.running()?.connectors.started === true;
    return started ? { ready: true, cause: null } : { ready: false, cause: 'starting' };
  };
  return {
    name,
    port: parts.port,
    group: '',
    description,
    startedMs: parts.startedMs,
    health: () => health(parts, ready().cause),
    ready,
    info: () => ({
      service: name,
      description,
      port: parts.port,
      pid: globalThis.process.pid,
      uptime_seconds: Math.floor((parts.nowMs() - parts.startedMs) / 1_000),
      ...parts.info,
    }),
    lag: async () => [],
    ledger: async () => new Map(),
    metrics: async () => `${await telemetry.text()}\n${await process.text()}`,
  };
}

async function health(parts: Omit<ServiceParts, 'telemetry'>, waiting: string | null): Promise<HealthView> {
  if (parts.draining()) return { status: 'draining', cause: waiting, dependencies: {} };
  const log = await logOf(parts);
  const logs = log === null ? {} : { [parts.opened()?.name ?? 'log']: log };
  if (log?.status === 'down') return { status: 'unhealthy', cause: log.cause, dependencies: logs };
  const connectors = parts.running()?.connectors;
  if (connectors === undefined || waiting !== null) {
    return { status: 'starting', cause: waiting, dependencies: logs };
  }
  const found = operators(connectors, parts.nowMs());
  const cause = log?.cause ?? trouble(found);
  return { status: cause === null ? 'healthy' : 'degraded', cause, dependencies: { ...logs, ...found } };
}
