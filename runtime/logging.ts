// The process's own log: JSON lines, one logger a service, each into logs/<service>.log (rotated, the active
// file keeps its name) and to standard output. At a terminal people get a short line instead. The owner of
// pino.

import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import type { SupervisorEvent } from './views.ts';

export type { Logger } from 'pino';

const FILE_BYTES_MAX = 10 * 1024 * 1024;
const FILES_KEPT = 5;

export interface LogSettings {
  readonly dir: string;
  readonly level: string;
  /** Where lines go besides the file: JSON for machines, null for nobody. */
  readonly stdout: ((line: string) => void) | null;
}

/**
 * A file that is renamed to `.1` … `.5` when it is full. A disk that refuses a line is told about once, on
 * stderr.
 */
export class RotatingFile {
  readonly #path: string;
  readonly #bytesMax: number;
  #bytes: number;
  #refused = false;

  constructor(path: string, bytesMax = FILE_BYTES_MAX) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#bytes = existsSync(path) ? statSync(path).size : 0;
  }

  write(line: string): void {
    try {
      const bytes = Buffer.byteLength(line);
      if (this.#bytes + bytes > this.#bytesMax && this.#bytes > 0) this.#rotate();
      appendFileSync(this.#path, line);
      this.#bytes += bytes;
      this.#refused = false;
    } catch (error) {
      if (!this.#refused) process.stderr.write(`${this.#path} cannot be written: ${String(error)}\n`);
      this.#refused = true;
    }
  }

  #rotate(): void {
    rmSync(`${this.#path}.${FILES_KEPT}`, { force: true });
    for (let index = FILES_KEPT - 1; index >= 1; index -= 1) {
      const from = `${this.#path}.${index}`;
      if (existsSync(from)) renameSync(from, `${this.#path}.${index + 1}`);
    }
    renameSync(this.#path, `${this.#path}.1`);
    this.#bytes = 0;
  }
}

export type Loggers = (service: string) => Logger;

/** Loggers by service name; throws what the file system says when `dir` cannot be written. */
export function openLoggers(settings: LogSettings): Loggers {
  mkdirSync(settings.dir, { recursive: true });
  const open = new Map<string, Logger>();
  return (service) => {
    const found = open.get(service);
    if (found !== undefined) return found;
    const file = new RotatingFile(join(settings.dir, `${service}.log`));
    const made = loggerTo(settings.level, service, (line) => {
      file.write(line);
      settings.stdout?.(line);
    });
    open.set(service, made);
    return made;
  };
}

/** A logger whose lines go to `write`. */
export function loggerTo(level: string, service: string, write: (line: string) => void): Logger {
  const options = {
    level,
    base: { service },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    messageKey: 'message',
  };
  return pino(options, { write });
}

const WARNINGS: ReadonlySet<string> = new Set([
  ...['defect', 'quarantine', 'pause', 'dependency_down', 'topic_differs'],
]);

/** Puts an event of the supervisors on a service's log, as one line. */
export function logEvent(logger: Logger, event: SupervisorEvent): void {
  const { service: _, time: __, ...fields } = event;
  const line = { event: 'supervisor', ...fields };
  if (event.kind === 'escalation' || event.kind === 'data_loss') logger.error(line);
  else if (WARNINGS.has(event.kind)) logger.warn(line);
  else logger.info(line);
}
