// The log failed: the disk, the file or the broker, never the record. Retried by whoever asked, with backoff.

export class LogFault extends Error {
  override readonly name = 'LogFault';
  constructor(
    message: string,
    /**
     * `log_disk_full`, `log_io`, `log_corrupt`, `data_dir_held`, `data_dir_unwritable`, `log_closed`,
     * `writer_held`.
     */
    readonly code: string,
    readonly retryable: boolean,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Another process has this writer's name: nothing was written, and nothing is until it is taken. */
export function writerHeld(writer: string, why: string): LogFault {
  return new LogFault(`append of ${writer} is refused: ${why}`, HELD, false);
}

const HELD = 'writer_held';

export function isHeld(error: unknown): boolean {
  return error instanceof LogFault && error.code === HELD;
}

const CODES: Readonly<Record<string, readonly [code: string, retryable: boolean]>> = {
  SQLITE_FULL: ['log_disk_full', true],
  SQLITE_BUSY: ['data_dir_held', false],
  SQLITE_LOCKED: ['data_dir_held', false],
  SQLITE_CORRUPT: ['log_corrupt', false],
  SQLITE_NOTADB: ['log_corrupt', false],
  SQLITE_CANTOPEN: ['data_dir_unwritable', false],
  SQLITE_READONLY: ['data_dir_unwritable', false],
};

/** What SQLite says, as a fault with a cause that a person can act on. */
export function asLogFault(error: unknown, path: string): LogFault {
  if (error instanceof LogFault) return error;
  const said = error instanceof Error ? error.message : String(error);
  const name = error instanceof Error && 'code' in error ? String(error.code) : '';
  const base = Object.keys(CODES).find((each) => name.startsWith(each));
  const [code, retryable] = (base === undefined ? undefined : CODES[base]) ?? ['log_io', true];
  return new LogFault(`the log in ${path}: ${said}`, code, retryable, { cause: error });
}

/** True for a fault that passes, such as of a log that is away; throws anything else. */
export function unlessLasting(error: unknown): true {
  if (error instanceof LogFault && error.retryable) return true;
  throw error;
}
