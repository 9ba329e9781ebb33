// The connectors as routes may use them: by name, with an answer for what does not run here. Whatever changes
// something is remembered on the log before it is answered.

import type { Clock } from '../host.ts';
import type { BackfillWish, ConnectorsView, Json, Refused } from '../views.ts';
import { BACKFILL_DAYS_MAX, outOfReach } from './backfill.ts';
import { completenessView } from './completeness-view.ts';
import type { Connector, Connectors } from './connectors.ts';
import type { Elsewhere } from './elsewhere.ts';
import { connectorView, healthOf, jobView, runsView } from './views.ts';

const HOW = 'CONNECTORS says which run, in this process or in the one of ROLE=connectors';

export function connectorsView(of: Connectors, clock: Clock, where: Elsewhere): ConnectorsView {
  const names = of.all.map(({ plan }) => plan.name);
  const nowMs = () => clock.nowMs();
  const unknown = (name: string): Refused =>
    refused('unknown', `no connector '${name}' runs here: ${HOW}`, names);
  return {
    names,
    connector: (name) => withOne(of, name, (found) => connectorView(found, nowMs())),
    health: (name) =>
      withOne(of, name, (found) => {
        const { status, body } = healthOf(found, nowMs());
        return { healthy: status !== 'unhealthy', body };
      }),
    runs: (name, limit) => withOne(of, name, (found) => runsView(found, limit)),
    async turn(name, enabled, reason) {
      const found = of.find(name);
      if (found === null) return unknown(name);
      await of.turn(found, enabled, reason);
      return connectorView(found, nowMs());
    },
    fetchNow(name) {
      const found = of.find(name);
      if (found === null) return unknown(name);
      if (of.fetchNow(found))
        return { name, status: 'fetching', feeds: found.feeds.map((feed) => feed.name) };
      return refused('refused', `${name} is disabled: POST /connectors/${name}/enable first`, []);
    },
    elsewhere: where,
    completeness: async (market, date, run) =>
      (await where.market(market)) ?? completeness(of, market, date, run, nowMs()),
    backfills: () => of.jobs().map((job) => jobView(of, job)),
    backfill: (id) => {
      const job = of.jobs().find((each) => each.id === id);
      return job === undefined ? null : jobView(of, job);
    },
    startBackfill: async (wish) => (await where.market(wish.market)) ?? (await start(of, wish, nowMs())),
    async cancelBackfill(id) {
      const before = of.jobs().find((each) => each.id === id);
      if (before === undefined)
        return refused('unknown', `no backfill '${id}': GET /backfill lists them`, []);
      if (before.status !== 'running') return refused('refused', `it is ${before.status} already`, []);
      return jobView(of, (await of.cancel(id)) ?? before);
    },
  };
}

function refused(kind: Refused['refused'], message: string, known: readonly string[]): Refused {
  return { refused: kind, message, known };
}

function withOne<T>(of: Connectors, name: string, use: (found: Connector) => T): T | null {
  const found = of.find(name);
  return found === null ? null : use(found);
}

/** Null when a connector here follows the run of the market, or any when no run is asked for. */
function unfollowed(of: Connectors, market: string, run: string | null): Refused | null {
  const feeds = of.all.flatMap((each) => each.feeds).map(({ settings }) => settings);
  const markets = [...new Set(feeds.map((each) => each.market.market))];
  if (!markets.includes(market))
    return refused('unknown', `no connector of '${market}' runs here: ${HOW}`, markets);
  const runs = [
    ...new Set(feeds.filter((each) => each.market.market === market).map((each) => each.source.run)),
  ];
  if (run === null || runs.includes(run)) return null;
  return refused('unknown', `no feed here follows ${market} '${run}': connectors.yaml says which do`, runs);
}

function completeness(
  of: Connectors,
  market: string,
  date: string,
  run: string | null,
  nowMs: number,
): Json | Refused {
  const none = unfollowed(of, market, run);
  if (none !== null) return none;
  const found = completenessView(of, market, date, nowMs, run);
  return found ?? refused('wrong', `${market} has no operating day ${date}`, []);
}

async function start(of: Connectors, wish: BackfillWish, nowMs: number): Promise<Json | Refused> {
  const { market, run, from, to } = wish;
  const none = unfollowed(of, market, run);
  if (none !== null) return none;
  if (from > to) return refused('wrong', `from ${from} is after to ${to}`, []);
  const days = Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000) + 1;
  if (days > BACKFILL_DAYS_MAX)
    return refused('wrong', `${days} days: at most ${BACKFILL_DAYS_MAX} a job`, []);
  const past = outOfReach(
    wish,
    of.feedsOf(wish).map(({ settings }) => settings),
    nowMs,
  );
  if (past !== null) return refused('wrong', past, []);
  const job = await of.backfill(wish);
  return job === null ? refused('unknown', `no feed here follows ${market} ${run}`, []) : jobView(of, job);
}
