// MISO's public API: five-minute ex-post prices (a table of strings) and ex-ante hub prices. Labels say when
// an interval ends, in Eastern Standard Time without an offset.

import type { Parsed, Response } from './feed.ts';
import { type Joiner, refusedResponse } from './joiner.ts';
import { estInstant, FIVE_MINUTES_MS } from './miso.ts';
import { checkEnergy } from './miso-energy.ts';

export function readJson(response: Response, joiner: Joiner): Parsed {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder().decode(response.bytes));
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return refusedResponse({ reason: 'malformed', detail: `not JSON: ${said}` });
  }
  const exAnte = field(field(body, 'LMPData'), 'ExAnteLMP');
  if (exAnte !== undefined) return readExAnte(joiner, field(field(body, 'LMPData'), 'RefId'), exAnte);
  return readFiveMinute(joiner, field(body, 'headers'), field(body, 'data'));
}

function field(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null && Object.hasOwn(of, name) ? Reflect.get(of, name) : undefined;
}

/** Strings and numbers as they stand; anything else is no text. */
function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** A row for a person to look at. */
function show(row: unknown): string {
  try {
    return JSON.stringify(row);
  } catch {
    return 'a row that is nested too deeply to show';
  }
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

const REF_ID = /^(\d{2})-([A-Z][a-z]{2})-(\d{4}) - Interval (\d{2}):(\d{2}) EST$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const EX_ANTE = [
  ['LMP', 'LMP'],
  ['MLC', 'loss'],
  ['MCC', 'congestion'],
] as const;

/** `02`, `Oct`, `2026`, `16`, `50` of a RefId → when its interval ends; null when it is no time. */
function refInstant([, day, name = '', year, hour, minute]: readonly string[]): number | null {
  const month = String(MONTHS.indexOf(name) + 1).padStart(2, '0');
  return estInstant(`${year}-${month}-${day}T${hour}:${minute}:00`);
}

function readExAnte(joiner: Joiner, refId: unknown, exAnte: unknown): Parsed {
  const hubs = field(exAnte, 'Hub');
  const found = typeof refId === 'string' ? REF_ID.exec(refId) : null;
  const endMs = found === null ? null : refInstant(found);
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
