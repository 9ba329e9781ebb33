// What a person at the terminal sees: what runs where, a live line of progress, warnings as they come.
// Machines get the JSON lines instead; see logging.ts.

import type { Logger } from './logging.ts';
import type { Meter } from './meter.ts';

export interface Terminal {
  /** A line that stays. */
  say(text: string): void;
  /** The line that is written over; empty clears it. */
  progress(text: string): void;
  /** A JSON line of the log: shown in short when it is a warning or worse. */
  line(json: string): void;
}

export function terminal(out: { write(text: string): unknown }): Terminal {
  let shown = false;
  const clear = (): void => {
    if (shown) out.write('\r\u001b[2K');
    shown = false;
  };
  return {
    say(text) {
      clear();
      out.write(`${text}\n`);
    },
    progress(text) {
      clear();
      out.write(text);
      shown = text !== '';
    },
    line(json) {
      const short = shortLine(json);
      if (short === null) return;
      clear();
      out.write(`${short}\n`);
    },
  };
}

/** What the process says of itself: to the person at the terminal, or as JSON lines to a machine. */
export interface Voice {
  /** `lines` are for the eye alone; a machine gets `fields` beside the message. */
  say(event: string, message: string, more?: Told): void;
  progress(meter: Meter, lag: number): void;
  /** Takes the line of progress away. */
  quiet(): void;
  /** Milliseconds between two looks at the progress. */
  readonly progressMs: number;
}

interface Told {
  readonly lines?: readonly string[];
  readonly fields?: Readonly<Record<string, unknown>>;
}

export function machineVoice(logger: Logger): Voice {
  return {
    say: (event, message, more) => logger.info({ event, message, ...more?.fields }),
    progress: (meter, lag) => {
      const { ticks, bars } = meter;
      logger.info({ event: 'progress', ticks, ticks_per_second: meter.rate(null), bar_rows: bars, lag });
    },
    quiet: () => {},
    progressMs: 5_000,
  };
}

/** Everything that is said stands in the log file as well, so that nothing is known from the screen alone. */
export function humanVoice(screen: Terminal, logger: Logger): Voice {
  return {
    say(event, message, more) {
      logger.info({ event, message, ...more?.fields });
      screen.say(message);
      for (const line of more?.lines ?? []) screen.say(`  ${line}`);
    },
    progress: (meter, lag) => screen.progress(progressLine('replaying', meter, lag)),
    quiet: () => screen.progress(''),
    progressMs: 200,
  };
}

const LOUD: ReadonlySet<string> = new Set(['warn', 'error', 'fatal']);

function shortLine(json: string): string | null {
  const line: Record<string, unknown> = JSON.parse(json);
  if (!LOUD.has(String(line.level))) return null;
  const time = String(line.time).slice(11, 19);
  const what = line.message ?? [line.actor, line.cause].filter((each) => each !== undefined).join(': ');
  const decision = line.decision === undefined ? '' : ` → ${String(line.decision)}`;
  return `${time} ${String(line.level)} ${String(line.service)} ${String(what)}${decision}`;
}

const count = new Intl.NumberFormat('en-US');

export function number(of: number): string {
  return count.format(of);
}

/** `replaying  43,120 ticks  21,300/s  51,200 bars  lag 1,234`. */
export function progressLine(verb: string, meter: Meter, lag: number): string {
  const { ticks, bars } = meter;
  const rate = number(meter.rate(null));
  return `${verb}  ${number(ticks)} ticks  ${rate}/s  ${number(bars)} bars  lag ${number(lag)}`;
}
