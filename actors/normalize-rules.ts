// Rules on a tick's values: ranges and formats of `field_validation`. A value outside of its range is flagged
// and kept, because a price above a cap is news, not an error; in strict mode what would be a flag refuses
// the record.

import { type Rejection, reject } from './domain/rejection.ts';
import { isDate } from './domain/time.ts';
import type { FieldRule, NormalizeOptions } from './normalize-options.ts';

export interface Findings {
  readonly flags: readonly string[];
  readonly errors: readonly string[];
}

/** `fields`: what normalize-options.ts lists as checkable; a rule on another field is not applied. */
export function checkRules(
  fields: Readonly<Record<string, unknown>>,
  options: NormalizeOptions,
): Findings | Rejection {
  const flags: string[] = [];
  const errors: string[] = [];
  const { validateSchemas, checkRequiredFields, strictMode } = options.validation;
  for (const [field, rule] of Object.entries(options.fieldValidation)) {
    if (!Object.hasOwn(fields, field)) continue;
    const value = fields[field] ?? null;
    if (value === null) {
      if (rule.required && checkRequiredFields) {
        return reject('missing_field', `${field} is absent; the rules require it`, field);
      }
      continue;
    }
    if (!validateSchemas) continue;
    if (typeof value === 'string' && rule.format === 'YYYY-MM-DD' && !isDate(value)) {
      return reject('wrong_type', `${field} is '${value}'; expected a date YYYY-MM-DD`, field);
    }
    if (typeof value !== 'number') continue;
    const side = sideOf(value, rule);
    if (side === null) continue;
    const bound = side === 'below' ? rule.min : rule.max;
    if (strictMode)
      return reject('out_of_range', `${field} is ${value}, ${side} ${bound} (strict mode)`, field);
    flags.push(`${field}_${side}_range`);
    errors.push(`${field} ${value} is ${side} ${bound}`);
  }
  return { flags, errors };
}

function sideOf(value: number, { min, max }: FieldRule): 'below' | 'above' | null {
  if (min !== undefined && value < min) return 'below';
  return max !== undefined && value > max ? 'above' : null;
}
