// What a person at the terminal sees: what runs where, a live line of progress, warnings as they come.
// Machines get the JSON lines instead; see logging.ts.

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
