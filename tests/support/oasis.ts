// OASIS responses as CAISO writes them, of any report and version, built from a few prices: CSV with the
// column order of each report, and XML.

export interface OasisRow {
  readonly node: string;
  readonly startMs: number;
  readonly minutes: number;
  readonly component: string;
  readonly text: string;
}

export interface OasisReport {
  readonly query: 'PRC_LMP' | 'PRC_RTPD_LMP' | 'PRC_INTVL_LMP' | 'PRC_HASP_LMP';
  readonly run: string;
  readonly priceColumn: 'MW' | 'PRC' | 'VALUE';
}

export const DAY_AHEAD: OasisReport = { query: 'PRC_LMP', run: 'DAM', priceColumn: 'MW' };
export const FIFTEEN_MINUTE: OasisReport = { query: 'PRC_RTPD_LMP', run: 'RTPD', priceColumn: 'PRC' };

export const REPORTS: readonly OasisReport[] = [
  DAY_AHEAD,
  FIFTEEN_MINUTE,
  { query: 'PRC_INTVL_LMP', run: 'RTM', priceColumn: 'VALUE' },
  { query: 'PRC_INTVL_LMP', run: 'RTM', priceColumn: 'MW' },
  { query: 'PRC_HASP_LMP', run: 'HASP', priceColumn: 'MW' },
];

const HEAD = 'INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR';
const MIDDLE = 'NODE_ID_XML,NODE_ID,NODE,MARKET_RUN_ID,LMP_TYPE,XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS';

const ITEM: Readonly<Record<string, string>> = {
  LMP: 'LMP_PRC',
  MCE: 'LMP_ENE_PRC',
  MCC: 'LMP_CONG_PRC',
  MCL: 'LMP_LOSS_PRC',
  MGHG: 'LMP_GHG_PRC',
};

function gmt(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}-00:00`;
}

/** The header of a report: PRC_LMP names its interval before the node, the others after the price. */
export function oasisHeader({ query, priceColumn }: OasisReport): string {
  return query === 'PRC_LMP'
    ? `${HEAD},OPR_INTERVAL,${MIDDLE},${priceColumn},GROUP`
    : `${HEAD},${MIDDLE},${priceColumn},OPR_INTERVAL,GROUP`;
}

export function oasisCsv(report: OasisReport, rows: readonly OasisRow[]): string {
  const lines = rows.map(({ node, startMs, minutes, component, text }) => {
    const times = [gmt(startMs), gmt(startMs + minutes * 60_000), '2022-09-01', '1'];
    const ids = [node, node, node, report.run, component, ITEM[component] ?? component, node, 'ALL', '0'];
    const line =
      report.query === 'PRC_LMP' ? [...times, '0', ...ids, text, '1'] : [...times, ...ids, text, '1', '1'];
    return line.join(',');
  });
  return `${[oasisHeader(report), ...lines].join('\n')}\n`;
}

/** `version` 2 and later carry the greenhouse gas component in the namespace of their own. */
export function oasisXml(report: OasisReport, rows: readonly OasisRow[], version: 1 | 2 | 3): string {
  const body = rows.map(
    ({ node, startMs, minutes, component, text }) => `
      <REPORT_DATA>
        <DATA_ITEM>${ITEM[component] ?? component}</DATA_ITEM>
        <RESOURCE_NAME>${node}</RESOURCE_NAME>
        <OPR_DATE>2022-09-01</OPR_DATE>
        <INTERVAL_NUM>1</INTERVAL_NUM>
        <INTERVAL_START_GMT>${gmt(startMs)}</INTERVAL_START_GMT>
        <INTERVAL_END_GMT>${gmt(startMs + minutes * 60_000)}</INTERVAL_END_GMT>
        <VALUE>${text}</VALUE>
      </REPORT_DATA>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<OASISReport xmlns="http://www.caiso.com/soa/OASISReport_v${version}.xsd">
  <MessageHeader><TimeDate>2022-09-02T10:00:00-00:00</TimeDate><Source>OASIS</Source></MessageHeader>
  <MessagePayload><RTO><name>CAISO</name><REPORT_ITEM>
    <REPORT_HEADER><REPORT>${report.query}</REPORT><MKT_TYPE>${report.run}</MKT_TYPE></REPORT_HEADER>
    ${body.join('')}
  </REPORT_ITEM></RTO></MessagePayload>
</OASISReport>`;
}
