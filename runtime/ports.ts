// The service ports of this process: opened before the pipeline is built, filled with their routes once it
// is.

import { readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { markets } from '../actors/feeds/markets.ts';
import { systemClock } from './clock.ts';
import { connectorsService } from './connectors-service.ts';
import type { EventLog } from './events.ts';
import { isLoopback } from './http/access.ts';
import type { AppSettings } from './http/app.ts';
import { type Listening, serve } from './http/serve.ts';
import { serviceApp, startingApp } from './http/service-app.ts';
import { actorsOfService, inspectionOf, reachable } from './inspection-whole.ts';
import type { Launched } from './launch.ts';
import { connectorsView } from './live/connectors-view.ts';
import { Elsewhere } from './live/elsewhere.ts';
import type { Loggers } from './logging.ts';
import type { OpenedLog } from './open-log.ts';
import { projectionOptions } from './options/projection.ts';
import { actorsOf, sumActors } from './platform-report.ts';
import { type ServiceParts, serviceView, specOf } from './service-views.ts';
import { CONNECTORS, type PortSpec, SERVICES } from './services.ts';
import type { Prepared } from './startup.ts';
import { ConnectorTelemetry, type Disk, ProcessTelemetry, Telemetry } from './telemetry.ts';
import type {
  ConnectorsView,
  EventKind,
  ServiceName,
  ServiceView,
  StageName,
  SupervisorEvent,
} from './views.ts';

export interface Ports {
  readonly telemetry: ReadonlyMap<StageName, Telemetry>;
  readonly connectorTelemetry: ConnectorTelemetry;
  /** Counts an event of the supervisors. */
  counted(event: SupervisorEvent): void;
  /** Address of a service, such as `http://127.0.0.1:8510`; null when it is not hosted here. */
  urlOf(service: ServiceName): string | null;
  /** Where other processes reach the service of a group; null when it is not hosted here. */
  addressOf(group: string): string | null;
  /** Where others reach this process about its connectors; null: it has no port. */
  anyAddress(): string | null;
  /** From now on health tells of the log. */
  opened(log: OpenedLog): void;
  /** Gives every port its full routes, while state is still being restored. */
  restoring(launched: Launched, events: EventLog): void;
  stop(): Promise<void>;
}

export interface PortsSettings {
  readonly prepared: Prepared;
  readonly loggers: Loggers;
  readonly version: string;
  readonly draining: () => boolean;
  readonly startedMs: number;
}

interface Open {
  readonly view: ServiceView;
  readonly listening: Listening;
  readonly settings: AppSettings;
}

/** `http://127.0.0.1:8510`; an IPv6 address gets its brackets. */
export function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const FAILURES: ReadonlySet<EventKind> = new Set(['defect', 'quarantine', 'restart', 'escalation']);

/** What the process has by now. */
interface Now {
  running: Launched | null;
  opened: OpenedLog | null;
}

/** Opens the ports of the roles. Throws PortInUse when one is taken; those already open are closed again. */
export async function openPorts(settings: PortsSettings): Promise<Ports> {
  const { prepared, version } = settings;
  const { environment } = prepared.config;
  const open = new Map<ServiceName, Open>();
  const telemetry = new Map<StageName, Telemetry>();
  const connectorTelemetry = new ConnectorTelemetry(markets.map(({ market }) => market));
  const now: Now = { running: null, opened: null };
  const whole = new ProcessTelemetry(() => lookAt(now.running, environment.dataDir));
  const stop = async (): Promise<void> => {
    await Promise.all([...open.values()].map((each) => each.listening.stop()));
  };
  const add = (spec: PortSpec, view: ServiceView) => open.set(spec.name, openPort(settings, spec, view));
  try {
    for (const spec of SERVICES.filter((each) => environment.roles.includes(each.name))) {
      const { name } = spec;
      const feeding = name === 'normalization' ? connectorTelemetry : null;
      const metrics = new Telemetry(name, whole, feeding);
      telemetry.set(name, metrics);
      const parts = partsOf(settings, environment.ports[name], now);
      add(spec, serviceView(name, { ...parts, telemetry: metrics }));
    }
    if (environment.roles.includes('connectors')) {
      const parts = partsOf(settings, environment.ports.connectors, now);
      add(CONNECTORS, connectorsService(parts, connectorTelemetry, whole));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const addressOf = (group: string) => at(environment.host, portOf(open, group));
  return {
    telemetry,
    connectorTelemetry,
    counted: (event) => counted(event, whole, telemetry),
    urlOf(service) {
      const port = open.get(service)?.listening.port;
      return port === undefined ? null : urlOf(environment.host, port);
    },
    addressOf,
    anyAddress: () => anyAddress(open, environment.host),
    opened(log) {
      now.opened = log;
    },
    restoring(running, events) {
      now.running = running;
      const inspection = inspectionOf(running, events, prepared.config.runtime.log.partitions);
      const connectors = viewOf(running, prepared);
      for (const { view: service, listening, settings: appSettings } of open.values()) {
        const own = addressOf(service.group);
        const actors = actorsOfService(running.log, service.group, own, inspection.actors);
        const app = serviceApp({
          settings: appSettings,
          service,
          version,
          running,
          inspection: { ...inspection, actors },
          connectors,
          limits: projectionOptions(prepared.config).limits,
          thresholds: prepared.config.quality.quality_thresholds,
          nowMs: systemClock.nowMs,
        });
        listening.use(app);
      }
    },
    stop,
  };
}

/** The connectors' own port, else any. */
function anyAddress(open: ReadonlyMap<ServiceName, Open>, host: string): string | null {
  return at(host, (open.get('connectors') ?? [...open.values()][0])?.listening.port);
}

function at(host: string, port: number | undefined): string | null {
  return port === undefined ? null : urlOf(reachable(host), port);
}

function viewOf({ connectors: of, log }: Launched, { config }: Prepared): ConnectorsView {
  const named = Object.entries(config.connectors.connectors);
  const configured = new Map(named.map(([name, { market }]) => [name, market]));
  const where = new Elsewhere({ of, log, clock: systemClock, configured });
  return connectorsView(of, systemClock, where);
}

function counted(
  { kind, service }: SupervisorEvent,
  whole: ProcessTelemetry,
  telemetry: ReadonlyMap<StageName, Telemetry>,
): void {
  whole.event(kind);
  if (!FAILURES.has(kind)) return;
  const own = [...telemetry].find(([name]) => service === specOf(name).group);
  own?.[1].error(kind, 1);
}

function portOf(open: ReadonlyMap<ServiceName, Open>, group: string): number | undefined {
  return [...open.values()].find(({ view }) => view.group === group)?.listening.port;
}

/** One port, which answers that it is starting. */
function openPort(
  { prepared, loggers, version }: PortsSettings,
  { name, description }: PortSpec,
  view: ServiceView,
): Open {
  const { host, ports, adminToken } = prepared.config.environment;
  const settings = { logger: loggers(name), adminToken, loopback: isLoopback(host) };
  const variable = `PORT_${name.replaceAll('-', '_').toUpperCase()}`;
  const listening = serve(startingApp(settings, view, version), host, ports[name], variable);
  const url = urlOf(host, listening.port);
  loggers(name).info({ event: 'listening', url, message: description });
  return { view, settings, listening };
}

/** What the metrics of the process ask at each scrape. */
function lookAt(launched: Launched | null, dataDir: string) {
  if (launched === null) return { actors: [], disk: null };
  const { pipeline, workers } = launched;
  const actors = sumActors([...actorsOf(pipeline.platform.directory), ...workers.actors()]);
  return { actors, disk: diskOf(join(dataDir, 'log')) };
}

/** Null when the directory cannot be asked, which health says in its own words. */
function diskOf(dir: string): Disk | null {
  try {
    const usedBytes = readdirSync(dir).reduce((sum, file) => sum + statSync(join(dir, file)).size, 0);
    const { bavail, bsize } = statfsSync(dir);
    return { usedBytes, freeBytes: bavail * bsize };
  } catch {
    return null;
  }
}

function partsOf(
  { prepared, version, draining, startedMs }: PortsSettings,
  port: number,
  now: Now,
): Omit<ServiceParts, 'telemetry'> {
  const { environment, runtime, projection, connectors, contacts } = prepared.config;
  const { clickhouse } = environment;
  return {
    running: () => now.running,
    opened: () => now.opened,
    draining,
    startedMs,
    nowMs: systemClock.nowMs,
    redisTarget: environment.redisUrl === null ? null : new URL(environment.redisUrl).host,
    port,
    info: {
      version,
      bun: Bun.version,
      configuration: prepared.hash,
      settings: {
        partitions: runtime.log.partitions,
        max_poll_records: runtime.log.max_poll_records,
        sink_records_max: runtime.log.sink_records_max,
        kafka: environment.kafka === null ? null : runtime.kafka,
        pool_size: projection.clickhouse.pool_size,
        data_dir: environment.dataDir,
        clickhouse: clickhouse.kind === 'server' ? new URL(clickhouse.url).host : clickhouse.kind,
        roles: environment.roles,
        connectors: connectors.connectors,
        contacts,
      },
    },
  };
}
