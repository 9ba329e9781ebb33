// Sets up what a try of a connector needs: the rules of the configuration, the way to the operator with the
// pace that all processes of this machine keep, or the recordings.

import type { Response } from '../../../actors/feeds/feed.ts';
import type { Variables } from '../../../configs/environment.ts';
import { systemClock } from '../../clock.ts';
import { systemFetch } from '../../live/fetch.ts';
import { machineLimiter } from '../../live/host-limiter.ts';
import type { ConnectorPlan } from '../../live/settings.ts';
import { fileResponses, sampleResponses } from '../../recordings.ts';
import { type Prepared, prepare, REGISTRY } from '../../startup.ts';
import { type Trial, tryLive, tryRecording } from './trial.ts';
import type { Wish } from './wish.ts';

/** There is nothing to try: no such feed, no such recording, nothing published. */
export class Untried extends Error {
  override readonly name = 'Untried';
}

/** Throws Untried, and StartRefused for a wrong configuration. */
export async function runTrials(plan: ConnectorPlan, wish: Wish, variables: Variables): Promise<Trial[]> {
  const prepared = prepare({ ...variables, CONNECTORS: plan.name });
  return wish.offline ? await recordings(plan, wish, prepared) : [await live(plan, wish, prepared)];
}

async function live(plan: ConnectorPlan, wish: Wish, prepared: Prepared): Promise<Trial> {
  const feed = plan.feeds.find((each) => wish.feed === null || each.name === wish.feed);
  if (feed === undefined) {
    const known = plan.feeds.map((each) => each.name).join(', ');
    throw new Untried(`${plan.name} has no feed '${wish.feed}'; it has ${known}`);
  }
  const parts = {
    registry: REGISTRY,
    fetch: systemFetch(systemClock),
    limiter: machineLimiter(),
    nowMs: systemClock.nowMs,
    tenantId: prepared.config.runtime.tenant_id,
    secret: (name: string) => prepared.config.environment.operatorKeys[name] ?? null,
    requested: () => {},
    found: () => {},
  };
  const signal = new AbortController().signal;
  const trial = await tryLive(plan, feed, parts, prepared.stages.normalize, signal);
  if (trial === null) throw new Untried(`${feed.name} of ${plan.name} has nothing published to ask for`);
  return trial;
}

async function recordings(plan: ConnectorPlan, wish: Wish, prepared: Prepared): Promise<Trial[]> {
  const trials: Trial[] = [];
  const { tenant_id } = prepared.config.runtime;
  for await (const response of responses(wish.file, tenant_id)) {
    const trial = tryRecording(plan, response, REGISTRY, prepared.stages.normalize, systemClock.nowMs);
    if (trial !== null) trials.push(trial);
    else if (wish.file !== null) throw new Untried(`${wish.file} is no response of ${plan.market.market}`);
  }
  if (trials.length === 0) throw new Untried(`no recording of ${plan.market.market}: name one by --file`);
  return trials;
}

function responses(file: string | null, tenantId: string): AsyncIterable<Response> {
  if (file === null) return sampleResponses(tenantId);
  return fileResponses([file], tenantId, ({ path, reason }) => {
    throw new Untried(`${path}: ${reason}`);
  });
}
