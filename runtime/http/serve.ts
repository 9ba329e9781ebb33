// Listens: one port, and the application behind it, which may be exchanged while it runs (a service that
// starts answers "starting" until it is built). A port in use is said with the variable that changes it.

import type { App } from './app.ts';

export interface Listening {
  readonly port: number;
  /** Answers with this application from now on. */
  use(app: App): void;
  /** Stops accepting, cuts what streams. */
  stop(): Promise<void>;
}

export class PortInUse extends Error {
  override readonly name = 'PortInUse';
  constructor(
    readonly port: number,
    readonly variable: string,
  ) {
    super(`port ${port} is in use: stop what listens there, or set ${variable}`);
  }
}

/** The address is not one of this machine, or the port is not for this user. */
export class ListenRefused extends Error {
  override readonly name = 'ListenRefused';
}

const IDLE_SECONDS = 60;
const BODY_BYTES_MAX = 1_000_000;

export function serve(app: App, host: string, port: number, variable: string): Listening {
  let current = app;
  try {
    const server = Bun.serve({
      hostname: host,
      port,
      fetch: (request) => current.fetch(request),
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: BODY_BYTES_MAX,
    });
    return {
      port: server.port ?? port,
      use(next) {
        current = next;
      },
      stop: () => server.stop(true),
    };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'EADDRINUSE') throw new PortInUse(port, variable);
    const options = { cause: error };
    if (code === 'EADDRNOTAVAIL') {
      throw new ListenRefused(`${host} is no address of this machine: set HOST`, options);
    }
    if (code === 'EACCES' || code === 'EPERM') {
      throw new ListenRefused(`port ${port} is not for this user: set ${variable} to 1024 or above`, options);
    }
    throw error;
  }
}
