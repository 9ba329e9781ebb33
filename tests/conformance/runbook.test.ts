// The operators' runbook on real servers, sections A–C and E–G: every line is typed as it stands there
// (runbook/workstation.ts), every row is a test named by its ID, and the table at the end tells which of them
// pass, which are shown as far as one machine without Docker and Kubernetes allows, and which come later. The
// rows share one broker, one ClickHouse, one Redis and one running product (runbook/world.ts), in order.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { kafkaMissing } from '../support/kafka.ts';
import { REDIS, redisForTests } from '../support/redis.ts';
import { ids, laterIds, runbookIds, table } from './runbook/rows.ts';
import { sectionA } from './runbook/section-a.ts';
import { sectionB } from './runbook/section-b.ts';
import { sectionC } from './runbook/section-c.ts';
import { sectionE } from './runbook/section-e.ts';
import { sectionF } from './runbook/section-f.ts';
import { sectionG } from './runbook/section-g.ts';
import { World } from './runbook/world.ts';

const MINUTES = 60_000;
/** Alerts, manifests of Kubernetes, hot reload, the retention floor. */
const LATER = ['B11', 'B4', 'C3', 'C9', 'E10', 'E12', 'E8', 'F12', 'F7', 'G5', 'G6', 'G8'];
const tools = ['curl', 'redis-cli'].filter((each) => Bun.which(each) === null);
const missing =
  kafkaMissing() ?? (REDIS === null ? 'redis-server is not installed' : null) ?? tools[0] ?? null;

if (missing !== null) describe('the runbook', () => test.skip(missing, () => {}));
else {
  describe('the runbook', () => {
    const world = new World(redisForTests());
    beforeAll(() => world.start(), 8 * MINUTES);
    afterAll(async () => {
      await world.stop();
      console.log(`\n${table()}\n`);
    }, 2 * MINUTES);

    sectionA(world);
    sectionB(world);
    sectionC(world);
    sectionE(world);
    sectionF(world);
    sectionG(world);

    test('has every row of these sections, and no other', () => {
      expect(ids()).toEqual(runbookIds());
    });

    test('leaves to later what it says, and no more', () => {
      expect(laterIds()).toEqual(LATER);
    });
  });
}
