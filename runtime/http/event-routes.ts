// The supervisors' events: a page of them, forward from a number or an instant, and as a stream. A reader of
// the stream that falls too far behind is let go; it comes back with the last number that it saw.

import { createRoute, z } from '@hono/zod-openapi';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { EVENT_KINDS, type EventsView, type SupervisorEvent } from '../views.ts';
import { type App, instantMs, json, numberParameter, PROBLEM, textParameter } from './app.ts';

const LISTENERS_MAX = 64;
const QUEUED_MAX = 1_000;
const HEARTBEAT_MS = 15_000;
const SEQ = /^\d{1,15}$/;

const since = z
  .string()
  .refine((text) => SEQ.test(text) || !Number.isNaN(instantMs(text)), 'expected a number or an instant')
  .optional();
const kind = z.enum(EVENT_KINDS).optional();

export function eventRoutes(app: App, events: EventsView): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/events',
      summary: 'Events of the supervisors, oldest first: the newest, or those after `since`',
      request: {
        query: z.object({ since, actor: textParameter, kind, limit: numberParameter(1, 5_000, 200) }),
      },
      responses: { 200: json('Events; `last` is the number to ask on from'), 422: PROBLEM },
    }),
    (context) => {
      const query = context.req.valid('query');
      const found = events.list({
        sinceSeq: seqOf(query.since),
        sinceMs: query.since === undefined || SEQ.test(query.since) ? null : instantMs(query.since),
        actor: query.actor ?? null,
        kind: query.kind ?? null,
        limit: query.limit,
      });
      return context.json({ events: found, count: found.length, last: found.at(-1)?.seq ?? null }, 200);
    },
  );
  eventStream(app, events);
}

/** Null: not a number, so that the newest are meant. */
function seqOf(text: string | undefined): number | null {
  return text !== undefined && SEQ.test(text) ? Number(text) : null;
}

function eventStream(app: App, events: EventsView): void {
  const readers = { count: 0 };
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/events/stream',
    summary: 'Events as they happen, server-sent; `Last-Event-ID` or `since` goes on from a number',
    responses: { 200: { description: 'Events', content: { 'text/event-stream': { schema: z.string() } } } },
  });
  app.get('/events/stream', (context) => {
    if (context.req.raw.method === 'HEAD') {
      return context.body(null, 200, { 'content-type': 'text/event-stream' });
    }
    if (readers.count >= LISTENERS_MAX) {
      const message = `at most ${LISTENERS_MAX} readers: close another one`;
      return context.json({ error: 'too_many_readers', message }, 503);
    }
    const from = seqOf(context.req.header('last-event-id') ?? context.req.query('since'));
    readers.count += 1;
    return streamSSE(context, async (stream) => {
      try {
        await serveEvents(stream, events, from);
      } finally {
        readers.count -= 1;
      }
    });
  });
}

async function serveEvents(stream: SSEStreamingApi, events: EventsView, from: number | null): Promise<void> {
  const write = (event: SupervisorEvent) =>
    stream.writeSSE({ id: String(event.seq), event: event.kind, data: JSON.stringify(event) });
  await stream.write(': events follow\n\n');
  for (let seq = from, page = earlier(events, seq); page.length > 0; page = earlier(events, seq)) {
    for (const event of page) await write(event);
    seq = page.at(-1)?.seq ?? null;
  }
  const queue: SupervisorEvent[] = [];
  let wake = (): void => {};
  const unsubscribe = events.subscribe((event) => {
    queue.push(event);
    wake();
  });
  stream.onAbort(() => wake());
  try {
    while (!stream.aborted && queue.length <= QUEUED_MAX) {
      const event = queue.shift();
      if (event !== undefined) {
        await write(event);
        continue;
      }
      const silent = await quietFor(HEARTBEAT_MS, (arrived) => {
        wake = arrived;
      });
      if (silent) await stream.write(': still here\n\n');
    }
  } finally {
    unsubscribe();
  }
}

function earlier(events: EventsView, seq: number | null): readonly SupervisorEvent[] {
  if (seq === null) return [];
  return events.list({ sinceSeq: seq, sinceMs: null, actor: null, kind: null, limit: QUEUED_MAX });
}

/** False as soon as something arrives, true after `ms`; no timer stays behind. */
function quietFor(ms: number, onArrival: (arrived: () => void) => void): Promise<boolean> {
  return new Promise((done) => {
    const timer = setTimeout(() => done(true), ms);
    onArrival(() => {
      clearTimeout(timer);
      done(false);
    });
  });
}
