// The lock that makes one process the owner of an embedded log's directory. It ends with the process,
// whatever ended that; no file of it need ever be removed.

import { Database } from 'bun:sqlite';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { asLogFault, LogFault } from './log-fault.ts';

/**
 * An exclusive transaction that is held for life: the system ends it with the process, whatever ended that.
 */
export function takeLock(dir: string): Database {
  const lock = new Database(join(dir, 'owner.lock'), { create: true });
  try {
    lock.run('PRAGMA busy_timeout = 0');
    lock.run('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    const fault = asLogFault(error, dir);
    if (fault.code !== 'data_dir_held') throw fault;
    const message = `${dir} is held by another process: stop it, or set DATA_DIR to another directory`;
    throw new LogFault(message, 'data_dir_held', false, { cause: error });
  }
}

/** Whether a living process owns the log in `dir`. Takes the lock for a moment when nobody has it. */
export function isHeld(dir: string): boolean {
  if (!existsSync(join(dir, 'owner.lock'))) return false;
  try {
    takeLock(dir).close();
    return false;
  } catch (error) {
    if (error instanceof LogFault && error.code === 'data_dir_held') return true;
    throw asLogFault(error, dir);
  }
}
