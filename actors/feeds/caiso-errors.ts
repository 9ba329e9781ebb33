// What CAISO answers when it does not answer: an error document under HTTP 200, or its throttle page under
// 429 or 200. Told apart by content, because the status says nothing. "No data" is an answer; the others are
// failures.

import type { RefusedResponse } from './feed.ts';

const CODE = /<(?:\w+:)?ERR_CODE>\s*(\d+)\s*<\/(?:\w+:)?ERR_CODE>/;
const TEXT = /<(?:\w+:)?ERR_DESC>([^<]{0,300})<\/(?:\w+:)?ERR_DESC>/;

const REASON: Readonly<Record<string, RefusedResponse['reason']>> = {
  '1000': 'no_data',
  '1003': 'operator_error',
  '1010': 'operator_error',
  '1015': 'in_process',
};

/** Null when the head of the body is no error of OASIS. */
export function refusalOf(head: string): RefusedResponse | null {
  if (/Acceptable Use Policy Violation/i.test(head)) {
    return { reason: 'throttled', detail: 'CAISO asks to wait 5 seconds between requests' };
  }
  const code = CODE.exec(head)?.[1];
  if (code === undefined) return null;
  const said = TEXT.exec(head)?.[1]?.trim() ?? 'no description';
  return { reason: REASON[code] ?? 'invalid_request', detail: `CAISO error ${code}: ${said}`, code };
}
