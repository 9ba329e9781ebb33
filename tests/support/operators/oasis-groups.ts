// OASIS' bulk downloads: a group of all nodes is made when it is first asked for, and until it is ready the
// answer is that it is in processing; a trade date's price corrections are one list for all markets.

import { DAY_AHEAD, type OasisRow, oasisCsv } from '../oasis.ts';
import { zipOf } from '../zips.ts';
import { type Answer, oasisError } from './oasis.ts';

const COMPONENTS = ['LMP', 'MCE', 'MCC', 'MCL'];

export class OasisGroups {
  readonly #asked = new Map<string, number>();
  readonly #makingMs: number;

  constructor(makingMs: number) {
    this.#makingMs = makingMs;
  }

  /** A day of day-ahead prices of all nodes, a file a component. */
  dayAhead(url: URL, nowMs: number, rows: (component: string) => readonly OasisRow[]): Answer {
    const key = url.search;
    const first = this.#asked.get(key) ?? nowMs;
    this.#asked.set(key, first);
    if (nowMs - first < this.#makingMs) return oasisError(1015);
    const files = COMPONENTS.map((each) => [
      `20261101_20261101_PRC_LMP_DAM_${each}_v12.csv`,
      oasisCsv(DAY_AHEAD, rows(each)),
    ]);
    return zipped(Object.fromEntries(files));
  }
}

export interface PriceCorrection {
  readonly date: string;
  /** DAM, RTPD, RTD. */
  readonly market: string;
  readonly issued: string;
}

const HEAD = [
  ...['TRADE_DATE', 'HOUR_ENDING', 'INTERVAL', 'MARKET', 'AFFECTED_AREA', 'CORRECTION_METHOD'],
  ...['CORRECTION_COUNT', 'ENERGY_TYPECODE', 'CORRECTION_REASON', 'REPORT_GENERATED'],
].join(',');

/** The list of a trade date: a line for each market without any, two for each with. */
export function correctionList(date: string, found: readonly PriceCorrection[], issued: string): Answer {
  const lines = ['DAM', 'HASP', 'RTPD', 'RTD'].flatMap((market) => {
    const of = found.filter((each) => each.market === market && each.date === date);
    const none = `${date} 00:00:00,0,0,${market},ALL,SELECTIVE,0,LMP,No records found for report.,${issued}`;
    return of.length === 0
      ? [none]
      : of.flatMap((each) =>
          [7, 8].map(
            (hour) =>
              `${date} 00:00:00,${hour},0,${market},ALL,SELECTIVE,1,LMP,"Software, defect",${each.issued}`,
          ),
        );
  });
  return zipped({ [`${date}_PRC_CORR_GRP_N_N_v1.csv`]: [HEAD, ...lines, ''].join('\n') });
}

function zipped(files: Readonly<Record<string, string>>): Answer {
  return { status: 200, headers: { 'content-type': 'application/x-zip-compressed' }, body: zipOf(files) };
}
