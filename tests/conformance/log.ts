// What every log must do, whichever stands behind the port. Offsets may have gaps, assignments may take a
// while and one batch may come in pieces: the suite asks for what the port promises and no more.

import { afterAll, beforeAll, describe, setDefaultTimeout } from 'bun:test';
import { commitTests, stateTests } from './log-commits.ts';
import { layoutTests } from './log-layouts.ts';
import { memberTests, positionTests } from './log-members.ts';
import { readingTests, recordTests, topicTests } from './log-records.ts';
import { type LogHarness, Rig } from './log-rig.ts';

export type { LogHarness, OpenLog } from './log-rig.ts';

export function logConformance(harness: LogHarness): void {
  const rig = new Rig();
  setDefaultTimeout(harness.timeoutMs);
  describe(`log: ${harness.name}`, () => {
    beforeAll(async () => {
      rig.open = await harness.open();
      rig.log = rig.open.log;
    });
    afterAll(async () => rig.open?.dispose());
    describe('topics', () => topicTests(rig));
    describe('records', () => recordTests(rig, harness));
    describe('reading', () => readingTests(rig));
    describe('a commit', () => commitTests(rig, harness));
    describe('state', () => stateTests(rig));
    describe('members', () => memberTests(rig));
    describe('layouts', () => layoutTests(rig));
    describe('positions', () => positionTests(rig, harness));
  });
}
