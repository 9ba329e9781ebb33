// Who may change something: every combination of token and listening address.

import { expect, test } from 'bun:test';
import { isLoopback } from '../../../../runtime/http/access.ts';
import { newApp } from '../../../../runtime/http/app.ts';
import { loggerTo } from '../../../../runtime/logging.ts';

const logger = loggerTo('info', 'test', () => {});
const HERE = { host: '127.0.0.1:8510' };

async function change(
  access: { adminToken: string | null; loopback: boolean },
  headers: Record<string, string>,
): Promise<number> {
  const app = newApp({ logger, ...access });
  app.post('/x', (context) => context.json({ done: true }));
  return (await app.request('http://127.0.0.1:8510/x', { method: 'POST', headers })).status;
}

test.each([
  ['loopback, no token: open', null, true, HERE, 200],
  ['loopback by IPv6', null, true, { host: '[::1]:8510' }, 200],
  ['loopback by name', null, true, { host: 'localhost' }, 200],
  ['loopback, other host name', null, true, { host: 'carbon.example' }, 403],
  ['others can reach it, no token: closed', null, false, HERE, 403],
  ['token wanted, none given', 'secret', true, HERE, 401],
  ['token wanted, wrong', 'secret', true, { ...HERE, authorization: 'Bearer secrex' }, 401],
  ['token wanted, prefix', 'secret', true, { ...HERE, authorization: 'Bearer secre' }, 401],
  ['token wanted, no scheme', 'secret', true, { ...HERE, authorization: 'secret' }, 401],
  ['token given on loopback', 'secret', true, { ...HERE, authorization: 'Bearer secret' }, 200],
  [
    'token given from outside',
    'secret',
    false,
    { host: 'carbon.example', authorization: 'Bearer secret' },
    200,
  ],
])('%s', async (_, adminToken, loopback, headers, status) => {
  expect(await change({ adminToken, loopback }, headers)).toBe(status);
});

test.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['localhost', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.0.0.1.evil.example', false],
])('%s is loopback: %p', (host, is) => {
  expect(isLoopback(host)).toBe(is);
});
