// The health check of a container, by the program itself: asks each service that this environment's ROLE
// hosts whether traffic may come, on its own port of this machine. Exit 0: all are ready; 1: one is not, and
// standard error says which and why; 78: the environment is wrong. A dependency's outage is told by /health,
// not here: restarting a container would not end it.

import { readEnvironment } from '../../configs/environment.ts';
import { processVariables } from '../../configs/load.ts';
import { EXIT_CONFIG } from '../startup.ts';

const ANSWER_MS_MAX = 4_000;

/** Null when it is ready, else why not. */
async function whyNotReady(port: number): Promise<string | null> {
  try {
    const url = `http://127.0.0.1:${port}/health/ready`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    return answer.ok ? null : `${answer.status} ${await answer.text()}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const { environment, findings } = readEnvironment(processVariables());
for (const { key, message } of findings) console.error(`${key}: ${message}`);
if (findings.length > 0) process.exit(EXIT_CONFIG);
const causes = await Promise.all(
  environment.roles.map(async (role) => ({ role, cause: await whyNotReady(environment.ports[role]) })),
);
const waiting = causes.filter(({ cause }) => cause !== null);
for (const { role, cause } of waiting) console.error(`${role} on ${environment.ports[role]}: ${cause}`);
process.exit(waiting.length > 0 ? 1 : 0);
