// Secrets: given as a variable, or as a file that `<NAME>_FILE` names (a mounted secret). A file must be
// there, hold something, be no placeholder, and be closed: nothing for others, and no writing by the group
// (0440 or less; 0600 will do). What a secret is never leaves this file in a message.

import { readFileSync, statSync } from 'node:fs';

export type Secret =
  | { readonly value: string | null }
  | { readonly variable: string; readonly wrong: string };

const PLACEHOLDERS: ReadonlySet<string> = new Set(['CHANGE_ME', 'CHANGEME', 'CHANGE-ME']);
const BYTES_MAX = 65_536;
/** Any right of others, and the group's to write or execute. */
const TOO_OPEN = 0o037;

export function readSecret(name: string, value: string, path: string): Secret {
  const file = `${name}_FILE`;
  if (path === '') {
    return isPlaceholder(value)
      ? { variable: name, wrong: 'is still the placeholder CHANGE_ME: set it, or unset it' }
      : { value: value === '' ? null : value };
  }
  if (value !== '') return { variable: name, wrong: `both ${name} and ${file} are set: keep one` };
  try {
    const { mode, size } = statSync(path);
    if (size > BYTES_MAX) return { variable: file, wrong: `${path} has more than ${BYTES_MAX} bytes` };
    const content = readFileSync(path, 'utf8').trim();
    if (content === '') return { variable: file, wrong: `${path} is empty` };
    if (isPlaceholder(content)) {
      return { variable: file, wrong: `${path} still holds the placeholder CHANGE_ME` };
    }
    if ((mode & TOO_OPEN) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      return { variable: file, wrong: `${path} has mode ${found}: expected 0440 or less (chmod 0440)` };
    }
    return { value: content };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { variable: file, wrong: `${path} cannot be read: ${said}` };
  }
}

export function isPlaceholder(value: string): boolean {
  return PLACEHOLDERS.has(value.toUpperCase());
}
