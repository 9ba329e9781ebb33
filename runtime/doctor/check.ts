// What the doctor looks at, and what it says: a check is a question about this machine and this
// configuration, its answers are lines. Checks do not depend on one another and change nothing. A new one
// is a file beside this and a line in checks.ts.

import type { Environment, Variables } from '../../configs/environment.ts';

/** `ok`; `warn`: it starts, and somebody should know; `fail`: it would not start, or not work. */
export type Level = 'ok' | 'warn' | 'fail';

export interface Line {
  readonly level: Level;
  /** What was looked at, such as `port`, `clickhouse`. */
  readonly check: string;
  /** What was found, and for all but `ok` what to do. Never a secret. */
  readonly message: string;
}

export interface Patient {
  readonly variables: Variables;
  readonly environment: Environment;
  /** Variables that are wrong: what they select cannot be checked. */
  readonly wrong: ReadonlySet<string>;
}

export interface Check {
  readonly name: string;
  /** Variables that it depends on: one of them wrong, and it is left out. */
  readonly needs: readonly string[];
  run(patient: Patient): Promise<readonly Line[]> | readonly Line[];
}

export function line(level: Level, check: string, message: string): Line {
  return { level, check, message };
}

/** Text of others, without any of the secrets. */
export function redacted(text: string, secrets: readonly string[]): string {
  return secrets.filter((each) => each !== '').reduce((rest, each) => rest.replaceAll(each, '***'), text);
}

/** Passwords in a URL, as they stand there and decoded. */
export function secretsIn(url: string): readonly string[] {
  const { password } = new URL(url);
  const plain = /^(?:[^%]|%[0-9a-f]{2})*$/i.test(password) ? decodeURIComponent(password) : '';
  return [password, plain];
}
