// Words of a command line: flags with values, and the rest. Unknown flags are refused with what is known.

export interface Parsed {
  readonly rest: readonly string[];
  readonly flags: ReadonlyMap<string, string>;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * `known`: flag → whether it takes a value. Values follow as the next word or after `=`. Throws UsageError.
 */
export function parseArguments(words: readonly string[], known: Readonly<Record<string, boolean>>): Parsed {
  const rest: string[] = [];
  const flags = new Map<string, string>();
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (!word.startsWith('--')) {
      rest.push(word);
      continue;
    }
    const [name = '', inline] = word.slice(2).split(/=(.*)/s);
    const takesValue = Object.hasOwn(known, name) ? known[name] : undefined;
    if (takesValue === undefined) {
      const list = Object.keys(known).map((each) => `--${each}`);
      throw new UsageError(`unknown option --${name}; known are ${list.join(', ')}`);
    }
    if (!takesValue) {
      flags.set(name, 'true');
      continue;
    }
    const value = inline ?? words[index + 1];
    if (value === undefined || (inline === undefined && value.startsWith('--'))) {
      throw new UsageError(`--${name} needs a value`);
    }
    if (inline === undefined) index += 1;
    flags.set(name, value);
  }
  return { rest, flags };
}
