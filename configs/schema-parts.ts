// The small shapes that several files share: numbers with bounds, durations, switches.

import { z } from 'zod';

/** A finite number ≥ 0. */
export const nonNegative = z.number().nonnegative();
export const wholePositive = z.int().positive();
export const whole = z.int().nonnegative();
export const share = z.number().min(0).max(1);
export const severity = z.enum(['low', 'medium', 'high', 'critical']);
export const texts = z.array(z.string().min(1));

const MS: Readonly<Record<string, number>> = { S: 1_000, M: 60_000, H: 3_600_000, D: 86_400_000 };

/** `15M`, `1H`, `1D` → milliseconds. */
export const duration = z
  .string()
  .regex(/^[1-9]\d{0,5}[SMHD]$/i, 'expected a duration such as 30S, 15M, 1H or 1D')
  .transform((text) => Number(text.slice(0, -1)) * (MS[text.slice(-1).toUpperCase()] ?? 0));
