// A naive reader of the recordings, written apart from the product: text in, priced intervals out. It knows
// nothing of instruments, versions or bars, shares no code with the feeds, and reads only what the recordings
// contain.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { unzipSync } from 'fflate';

export interface Priced {
  readonly market: string;
  readonly run: string;
  readonly location: string;
  readonly startMs: number;
  readonly endMs: number;
  /** The operator's text of the LMP. */
  readonly price: string;
  /** Text of all components, in a fixed order: what makes a version. */
  readonly values: string;
  /** When the operator says it was published; null when the recording does not say. */
  readonly publishedMs: number | null;
}

const RUN_OF_QUERY: Record<string, string> = {
  PRC_LMP: 'DAM',
  PRC_RTPD_LMP: 'RTPD',
  PRC_INTVL_LMP: 'RTM',
  PRC_HASP_LMP: 'HASP',
};

export function readRecording(path: string): Priced[] {
  const bytes = readFileSync(path);
  const name = basename(path);
  if (name.endsWith('.zip')) {
    return Object.entries(unzipSync(bytes)).flatMap(([member, body]) =>
      readText(member, new TextDecoder().decode(body)),
    );
  }
  return readText(name, bytes.toString('utf8'));
}

export function readText(name: string, text: string): Priced[] {
  if (text.includes('<OASISReport')) return oasisXml(text);
  if (text.includes('INTERVALSTARTTIME_GMT')) return oasisCsv(name, text);
  if (text.startsWith('Day Ahead Market LMPs')) return misoReport(text);
  if (text.includes('"headers":["INTERVAL"')) return misoFiveMinute(text);
  if (text.includes('"ExAnteLMP"')) return misoExAnte(text);
  throw new Error(`the oracle cannot read ${name}`);
}

interface Row {
  readonly run: string;
  readonly location: string;
  readonly start: string;
  readonly end: string;
  readonly component: string;
  readonly text: string;
}

function join(rows: readonly Row[], market: string, publishedMs: number | null): Priced[] {
  const groups = new Map<string, Map<string, Row>>();
  for (const row of rows) {
    const key = `${row.run}|${row.location}|${row.start}`;
    const group = groups.get(key) ?? new Map<string, Row>();
    group.set(row.component, row);
    groups.set(key, group);
  }
  const out: Priced[] = [];
  for (const group of groups.values()) {
    const lmp = group.get('LMP');
    if (lmp === undefined) throw new Error('an observation without LMP');
    const values = [...group.keys()].sort().map((name) => `${name}=${group.get(name)?.text}`);
    out.push({
      market,
      run: lmp.run,
      location: lmp.location,
      startMs: Date.parse(lmp.start.replace('-00:00', 'Z')),
      endMs: Date.parse(lmp.end.replace('-00:00', 'Z')),
      price: lmp.text,
      values: values.join(','),
      publishedMs,
    });
  }
  return out;
}

function oasisCsv(name: string, text: string): Priced[] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  const header = (lines.shift() ?? '').split(',');
  const column = (...names: string[]) =>
    names.map((each) => header.indexOf(each)).find((at) => at >= 0) ?? -1;
  const at = {
    start: column('INTERVALSTARTTIME_GMT'),
    end: column('INTERVALENDTIME_GMT'),
    run: column('MARKET_RUN_ID'),
    node: column('NODE'),
    type: column('LMP_TYPE'),
    value: column('MW', 'PRC', 'VALUE'),
  };
  const rows = lines.map((line) => {
    const cell = line.split(',');
    return {
      run: cell[at.run] ?? '',
      location: cell[at.node] ?? '',
      start: cell[at.start] ?? '',
      end: cell[at.end] ?? '',
      component: cell[at.type] ?? '',
      text: cell[at.value] ?? '',
    };
  });
  return join(rows, 'CAISO', pacificStamp(name));
}

/** `_20230213_13_30_51_`: Pacific wall clock in the operator's file name. */
function pacificStamp(name: string): number | null {
  const found = /_(\d{4})(\d{2})(\d{2})_(\d{2})_(\d{2})_(\d{2})_v/.exec(name);
  if (found === null) return null;
  const [, y, mo, d, h, mi, s] = found.map(Number);
  for (const offset of [7, 8]) {
    const ms = Date.UTC(y ?? 0, (mo ?? 1) - 1, d, (h ?? 0) + offset, mi, s);
    if (
      new Date(ms).toLocaleString('en-GB', { timeZone: 'America/Los_Angeles', hour: '2-digit' }) ===
      String(h).padStart(2, '0')
    )
      return ms;
  }
  return null;
}

const COMPONENT: Record<string, string> = {
  LMP_PRC: 'LMP',
  LMP_ENE_PRC: 'MCE',
  LMP_CONG_PRC: 'MCC',
  LMP_LOSS_PRC: 'MCL',
  LMP_GHG_PRC: 'MGHG',
};

function oasisXml(text: string): Priced[] {
  const tag = (body: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1] ?? '';
  const run = RUN_OF_QUERY[tag(text, 'REPORT')] ?? '';
  const rows = [...text.matchAll(/<REPORT_DATA>([\s\S]*?)<\/REPORT_DATA>/g)].map(([, body = '']) => ({
    run,
    location: tag(body, 'RESOURCE_NAME'),
    start: tag(body, 'INTERVAL_START_GMT'),
    end: tag(body, 'INTERVAL_END_GMT'),
    component: COMPONENT[tag(body, 'DATA_ITEM')] ?? '?',
    text: tag(body, 'VALUE'),
  }));
  return join(rows, 'CAISO', Date.parse(tag(text, 'TimeDate').replace('-00:00', 'Z')));
}

const EST_MS = 5 * 3_600_000;

function misoReport(text: string): Priced[] {
  const lines = text.split(/\r?\n/);
  const [month, day, year] = (lines[1] ?? '').split('/').map(Number);
  const midnight = Date.UTC(year ?? 0, (month ?? 1) - 1, day) + EST_MS;
  const rows: Row[] = [];
  for (const line of lines.slice(5)) {
    const cell = line.split(',');
    if (cell.length < 27) continue;
    for (let hour = 1; hour <= 24; hour += 1) {
      const start = midnight + (hour - 1) * 3_600_000;
      rows.push({
        run: 'DA_EXPOST',
        location: cell[0] ?? '',
        start: new Date(start).toISOString(),
        end: new Date(start + 3_600_000).toISOString(),
        component: cell[2] ?? '',
        text: cell[hour + 2] ?? '',
      });
    }
  }
  return join(rows, 'MISO', null);
}

function misoFiveMinute(text: string): Priced[] {
  const { data }: { data: string[][] } = JSON.parse(text);
  return data.map(([interval = '', node = '', lmp = '', mlc = '', mcc = '']) => {
    const endMs = Date.parse(`${interval}Z`) + EST_MS;
    return {
      market: 'MISO',
      run: 'RT5_EXPOST',
      location: node,
      startMs: endMs - 300_000,
      endMs,
      price: lmp,
      values: `LMP=${lmp},MLC=${mlc},MCC=${mcc}`,
      publishedMs: null,
    };
  });
}

function misoExAnte(text: string): Priced[] {
  const { LMPData } = JSON.parse(text);
  const refId: string = LMPData.RefId;
  const [, date = '', time = ''] = /^(\S+) - Interval (\S+) EST$/.exec(refId) ?? [];
  const endMs = Date.parse(`${date.replaceAll('-', ' ')} ${time} UTC`) + EST_MS;
  const hubs: { name: string; LMP: string; loss: string; congestion: string }[] = LMPData.ExAnteLMP.Hub;
  return hubs.map((hub) => ({
    market: 'MISO',
    run: 'RT5_EXANTE',
    location: hub.name,
    startMs: endMs - 300_000,
    endMs,
    price: hub.LMP,
    values: `LMP=${hub.LMP},loss=${hub.loss},congestion=${hub.congestion}`,
    publishedMs: endMs,
  }));
}
