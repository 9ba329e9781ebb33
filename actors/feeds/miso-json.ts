// MISO's public API: five-minute ex-post prices (a table of strings), ex-ante hub prices and the consolidated
// table. Labels say when an interval ends, in Eastern Standard Time without an offset.

import type { Parsed, Response } from './feed.ts';
import { type Joiner, refusedResponse } from './joiner.ts';
import { field, show, textOf } from './json.ts';
import { estInstant, FIVE_MINUTES_MS } from './miso.ts';
import { readConsolidated } from './miso-consolidated.ts';
import { checkEnergy } from './miso-energy.ts';
import { refInstant } from './miso-reference.ts';

export function readJson(response: Response, joiner: Joiner): Parsed {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder().decode(response.bytes));
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return refusedResponse({ reason: 'malformed', detail: `not JSON: ${said}` });
  }
  const table = field(body, 'LMPData');
  const exAnte = field(table, 'ExAnteLMP');
  if (exAnte !== undefined) return readExAnte(joiner, field(table, 'RefId'), exAnte);
  if (table !== undefined) return readConsolidated(joiner, table);
  return readFiveMinute(joiner, field(body, 'headers'), field(body, 'data'));
}

function readFiveMinute(joiner: Joiner, headers: unknown, data: unknown): Parsed {
  if (!Array.isArray(headers) || !Array.isArray(data)) {
    return refusedResponse({ reason: 'unknown_format', detail: 'five-minute prices have headers and data' });
  }
  const at = (name: string): number => headers.indexOf(name);
  const columns = { interval: at('INTERVAL'), node: at('CPNODE') };
  const components = ['LMP', 'MLC', 'MCC'].map((name) => ({ name, at: at(name) }));
  if (columns.interval < 0 || columns.node < 0 || components.some((each) => each.at < 0)) {
    const detail = 'expected the columns INTERVAL, CPNODE, LMP, MLC, MCC';
    return refusedResponse({ reason: 'unknown_format', detail });
  }
  for (const cells of data) {
    const row = joiner.nextRow();
    const original = (): string => show(cells);
    if (!Array.isArray(cells) || cells.length !== headers.length) {
      joiner.refuse(row, 'missing_field', `a row is a list of ${headers.length} texts`, original());
      continue;
    }
    const text = (position: number): string => textOf(cells[position]);
    const endMs = estInstant(text(columns.interval));
    const location = text(columns.node);
    if (endMs === null || location === '') {
      joiner.refuse(row, 'bad_time', 'INTERVAL is no EST time, or CPNODE is empty', original());
      continue;
    }
    const common = { row, run: 'RT5_EXPOST', location, startMs: endMs - FIVE_MINUTES_MS, endMs };
    const labels = { INTERVAL: text(columns.interval) };
    for (const { name, at: position } of components) {
      joiner.add({ ...common, component: name, text: text(position), labels }, original);
    }
  }
  checkEnergy(joiner);
  return joiner.finish(null);
}

const EX_ANTE = [
  ['LMP', 'LMP'],
  ['MLC', 'loss'],
  ['MCC', 'congestion'],
] as const;

function readExAnte(joiner: Joiner, refId: unknown, exAnte: unknown): Parsed {
  const hubs = field(exAnte, 'Hub');
  const endMs = refInstant(refId);
  if (endMs === null || !Array.isArray(hubs)) {
    const detail = "ex-ante prices have a RefId such as '02-Oct-2026 - Interval 16:50 EST' and a list Hub";
    return refusedResponse({ reason: 'unknown_format', detail });
  }
  for (const hub of hubs) {
    const row = joiner.nextRow();
    const original = (): string => show(hub);
    const location = textOf(field(hub, 'name'));
    if (location === '') {
      joiner.refuse(row, 'missing_field', 'a hub has a name', original(), 'name');
      continue;
    }
    const common = { row, run: 'RT5_EXANTE', location, startMs: endMs - FIVE_MINUTES_MS, endMs };
    for (const [component, name] of EX_ANTE) {
      const text = textOf(field(hub, name));
      joiner.add({ ...common, component, text, labels: { RefId: String(refId) } }, original);
    }
  }
  checkEnergy(joiner);
  return joiner.finish(endMs);
}
