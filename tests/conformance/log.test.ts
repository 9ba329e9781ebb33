// The embedded log, held to the suite of the port.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import { logConformance } from './log.ts';

logConformance({
  name: 'embedded',
  async open() {
    const dir = mkdtempSync(join(tmpdir(), 'carbon-log-'));
    let nowMs = 1_700_000_000_000;
    const options = { dir, nowMs: () => nowMs };
    let log = openEmbeddedLog(options);
    return {
      log,
      async reopen() {
        await log.close();
        log = openEmbeddedLog(options);
        return log;
      },
      async advance(ms) {
        nowMs += ms;
      },
      async dispose() {
        await log.close();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  },
  valueBytes: 900_000,
  valueBytesOver: 8 * 1024 * 1024 + 1,
  markers: 0,
  timeoutMs: 20_000,
});
