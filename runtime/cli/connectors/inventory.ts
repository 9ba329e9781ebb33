// Every connector of connectors.yaml with what it follows and what is wrong with it. One that is wrong is an
// entry like the others. Nothing is asked of anybody.

import { feeds } from '../../../actors/feeds/markets.ts';
import { type NamedSection, readConnectorSections } from '../../../configs/connector-sections.ts';
import type { Finding } from '../../../configs/yaml.ts';
import { type ConnectorPlan, connectorPlans, type Registry } from '../../live/settings.ts';
import { REGISTRY, sentence } from '../../startup.ts';

export interface Entry {
  readonly name: string;
  /** Null: it has problems, or follows nothing. */
  readonly plan: ConnectorPlan | null;
  readonly market: string | null;
  readonly description: string;
  /** As the file says; what was switched while running is told by `GET /connectors`. */
  readonly enabled: boolean;
  /** Wrong values, a sentence each: where, key, what was expected. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export interface Inventory {
  /** By name. */
  readonly entries: readonly Entry[];
  /** Of the file as a whole. */
  readonly problems: readonly string[];
}

export function readInventory(configDir: string, registry: Registry = REGISTRY): Inventory {
  const { sections, findings } = readConnectorSections(configDir);
  const entries = sections.map((each) => entryOf(each, registry));
  return {
    entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)),
    problems: findings.map(sentence),
  };
}

function entryOf({ name, section, findings, warnings }: NamedSection, registry: Registry): Entry {
  const known = new Set(feeds.map((each) => each.name));
  const strangers = (section?.feeds ?? [])
    .filter((each) => !known.has(each))
    .map((each) => ({ where: 'connectors.yaml', key: `connectors.${name}.feeds`, message: noFeed(each) }));
  const planned = section === null ? null : planOf(name, section, registry);
  const wrong = [...findings, ...strangers, ...(planned?.findings ?? [])];
  return {
    name,
    plan: wrong.length === 0 ? (planned?.plan ?? null) : null,
    market: section?.market ?? null,
    description: section?.description ?? '',
    enabled: section?.enabled ?? false,
    problems: wrong.map(sentence),
    warnings: warnings.map(sentence),
  };

  function noFeed(called: string): string {
    return `no feed '${called}'; known are ${[...known].join(', ')}`;
  }
}

function planOf(
  name: string,
  section: NonNullable<NamedSection['section']>,
  registry: Registry,
): { readonly plan: ConnectorPlan | null; readonly findings: readonly Finding[] } {
  const { plans, findings } = connectorPlans({ connectors: { [name]: section } }, [name], registry);
  return { plan: plans[0] ?? null, findings };
}

/** As the index and `--json` show it. */
export function entryView(entry: Entry): Readonly<Record<string, unknown>> {
  const { plan } = entry;
  return {
    name: entry.name,
    market: entry.market,
    description: entry.description,
    enabled: entry.enabled,
    valid: entry.problems.length === 0,
    problems: entry.problems,
    warnings: entry.warnings,
    base_urls: plan?.bases ?? {},
    limits:
      plan === null
        ? null
        : {
            request_interval_ms: plan.requestIntervalMs,
            timeout_ms: plan.timeoutMs,
            response_bytes_max: plan.bytesMax,
          },
    feeds: (plan?.feeds ?? []).map(({ name, source, nodes, daysBack }) => ({
      name,
      source: source.name,
      run: source.run,
      nodes,
      days_back: daysBack,
      correction_days: source.correctionDays,
    })),
  };
}
