// connectors.yaml: which markets are followed, how often they may be asked, and the only hosts that are.

import { z } from 'zod';
import { share, texts, whole, wholePositive } from './schema-parts.ts';

const node = z.string().regex(/^[A-Za-z0-9_.#&/ -]{1,64}$/, 'expected the name of a node');

const feed = z.strictObject({
  source: z.string().min(1),
  nodes: z.union([z.literal('all'), z.array(node).min(1).max(5_000)]).default('all'),
  days_back: whole.max(1_200).default(3),
});

const connector = z
  .strictObject({
    market: z.string(),
    description: z.string().default(''),
    feeds: texts.default([]),
    enabled: z.boolean().default(true),
    base_urls: z.record(z.string(), z.url({ protocol: /^https?$/ })).default({}),
    allow_private_addresses: z.boolean().default(false),
    limits: z
      .strictObject({
        request_interval_ms: wholePositive.max(3_600_000).default(5_000),
        timeout_ms: wholePositive.max(600_000).default(120_000),
        response_mb_max: wholePositive.max(2_048).default(256),
      })
      .prefault({}),
    retry: z
      .strictObject({
        initial_ms: wholePositive.default(60_000),
        max_ms: wholePositive.default(3_600_000),
        jitter: share.default(0.2),
      })
      .refine((of) => of.initial_ms <= of.max_ms, {
        message: 'initial_ms is above max_ms',
        path: ['initial_ms'],
      })
      .prefault({}),
    breaker: z
      .strictObject({
        failures: wholePositive.max(100).default(5),
        pause_ms: wholePositive.default(60_000),
        pause_ms_max: wholePositive.default(1_800_000),
      })
      .refine((of) => of.pause_ms <= of.pause_ms_max, {
        message: 'pause_ms is above pause_ms_max',
        path: ['pause_ms'],
      })
      .prefault({}),
    history_days: wholePositive.max(1_500).default(400),
    live: z.record(z.string().regex(/^[a-z0-9-]{1,40}$/, 'expected a-z, 0-9, -'), feed).default({}),
  })
  .superRefine((of, context) => {
    if (of.allow_private_addresses) return;
    for (const [name, url] of Object.entries(of.base_urls)) {
      if (url.startsWith('https:')) continue;
      const message = 'expected https://; http:// needs allow_private_addresses: true';
      context.addIssue({ code: 'custom', path: ['base_urls', name], message });
    }
  });

export const connectors = z.strictObject({
  connectors: z.record(z.string().regex(/^[a-z0-9-]{1,40}$/, 'expected a-z, 0-9, -'), connector).default({}),
});

export type ConnectorsFile = z.output<typeof connectors>;
