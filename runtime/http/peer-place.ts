// The actors of another process of the group, asked over HTTP about itself alone, so that no two ask each
// other for ever. Answers are bounded; who does not answer as a peer of ours does not count as one.

import type { ActorsPlace, InstrumentView, MarketView, Released, TreeNode } from '../views.ts';

const ANSWER_MS_MAX = 1_500;
const BYTES_MAX = 8 * 1024 * 1024;

/** `base`: such as `http://10.0.0.7:8512`. `authorization` goes along with a change. */
export function peerPlace(base: string, authorization: string | null): ActorsPlace {
  const ask = async <T>(
    path: string,
    good: readonly number[],
    init: RequestInit = {},
  ): Promise<Answer<T>> => {
    const separator = path.includes('?') ? '&' : '?';
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const url = `${base}/actors${path}${separator}scope=process`;
    const response = await fetch(url, { ...init, redirect: 'error', signal });
    if (!good.includes(response.status)) throw new Error(`${base}: ${response.status}`);
    const text = await response.text();
    if (text.length > BYTES_MAX) throw new Error(`${base}: an answer of ${text.length} bytes`);
    return { status: response.status, body: JSON.parse(text) };
  };
  const at = (...names: readonly string[]): string =>
    names.map((each) => `/${encodeURIComponent(each)}`).join('');
  const instruments = async (market: string, name: string): Promise<readonly InstrumentView[]> => {
    const { status, body } = await ask<Found>(at(market, name), [200, 404]);
    if (status === 404) return [];
    return body.instruments ?? [body];
  };
  return {
    tree: async () => (await ask<{ tree: TreeNode }>('', [200])).body.tree,
    async markets() {
      const { body } = await ask<{ markets: readonly string[] }>('', [200]);
      return body.markets.map((link) => link.slice(link.lastIndexOf('/') + 1));
    },
    async market(market, limit, after) {
      const from = after === null ? '' : `&after=${encodeURIComponent(after)}`;
      const { status, body } = await ask<MarketView>(`${at(market)}?limit=${limit}${from}`, [200, 404]);
      return status === 404 ? null : body;
    },
    instruments,
    async near(market, name) {
      const { status, body } = await ask<Found>(at(market, name), [200, 404]);
      if (status === 200) return [];
      return (body.near ?? []).map((link) => link.slice('/actors/'.length).replace('/', ':'));
    },
    async release(id) {
      const [market = '', ...rest] = id.split(':');
      const headers: Record<string, string> = authorization === null ? {} : { authorization };
      const init = { method: 'POST', headers };
      const { status } = await ask(`${at(market, rest.join(':'))}/release`, [202, 404, 409], init);
      return OUTCOMES[status] ?? 'unknown';
    },
  };
}

interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

/** An instrument, several, or those that look like it. */
type Found = InstrumentView & {
  readonly instruments?: readonly InstrumentView[];
  readonly near?: readonly string[];
};

const OUTCOMES: Readonly<Record<number, Released>> = {
  202: 'released',
  404: 'unknown',
  409: 'not_quarantined',
};
