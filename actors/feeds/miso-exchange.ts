// MISO's Data Exchange, one page of JSON: a row is one observation with its components and says itself when
// its interval starts and ends, in Eastern Standard Time, and whether it is preliminary or final.

import { MINUTE_MS, parseInstant } from '../domain/time.ts';
import type { Feed, Parsed, Response } from './feed.ts';
import { Joiner, refusedResponse } from './joiner.ts';
import { field, show, textOf } from './json.ts';
import { estInstant, miso } from './miso.ts';
import { checkEnergy } from './miso-energy.ts';

const decoder = new TextDecoder();
const HEAD_BYTES = 2_048;
const COMPONENTS = [
  ['LMP', 'lmp'],
  ['MCC', 'mcc'],
  ['MLC', 'mlc'],
  ['MEC', 'mec'],
] as const;

export const misoExchange: Feed = {
  name: 'miso.data-exchange',
  market: miso,
  recognises({ name, bytes }) {
    const head = decoder.decode(bytes.subarray(0, HEAD_BYTES)).trimStart();
    return name.startsWith('exchange/') && head.startsWith('{') && head.includes('"data"');
  },
  parse,
};

function parse(response: Response): Parsed {
  const run = /^exchange\/(\w+)\//.exec(response.name)?.[1] ?? '';
  if (!Object.hasOwn(miso.runs, run)) {
    return refusedResponse({ reason: 'unknown_format', detail: `'${run}' is no run of MISO` });
  }
  const data = dataOf(response);
  if (!Array.isArray(data)) {
    return refusedResponse({
      reason: 'unknown_format',
      detail: 'a page of the Data Exchange has a list data',
    });
  }
  const joiner = new Joiner(response, misoExchange.name, miso.market);
  for (const each of data) row(joiner, each, run);
  checkEnergy(joiner);
  return joiner.finish(null);
}

function dataOf({ bytes }: Response): unknown {
  try {
    return field(JSON.parse(decoder.decode(bytes)), 'data');
  } catch {
    return null;
  }
}

function row(joiner: Joiner, of: unknown, run: string): void {
  const number = joiner.nextRow();
  const original = (): string => show(of);
  const interval = field(of, 'timeInterval');
  const startMs = instant(textOf(field(interval, 'start')));
  const endMs = instant(textOf(field(interval, 'end')));
  const location = textOf(field(of, 'node'));
  if (startMs === null || endMs === null || location === '') {
    joiner.refuse(number, 'bad_time', 'a row has a node and timeInterval.start and end', original());
    return;
  }
  const said = textOf(field(of, 'preliminaryFinal'));
  const settlement = miso.runs[run]?.settlement ?? 'none';
  if (said !== '' && settlement !== 'none' && run.startsWith('RT') && said.toLowerCase() !== settlement) {
    joiner.refuse(number, 'unknown_run', `asked for ${run} and got a row that is '${said}'`, original());
    return;
  }
  if (endMs - startMs !== (miso.runs[run]?.intervalMinutes ?? 0) * MINUTE_MS) {
    joiner.refuse(number, 'bad_interval', `no interval of ${run} is that long`, original());
    return;
  }
  const labels = {
    interval: textOf(field(interval, 'value')),
    resolution: textOf(field(interval, 'resolution')),
  };
  for (const [component, name] of COMPONENTS) {
    const text = textOf(field(of, name));
    if (text === '' && component === 'MEC') continue;
    joiner.add({ row: number, run, location, startMs, endMs, component, text, labels }, original);
  }
}

/** With its offset, or a wall-clock time of Eastern Standard. */
function instant(text: string): number | null {
  return parseInstant(text) ?? estInstant(text.replace(/\.0+$/, ''));
}
