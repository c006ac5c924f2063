/** `HOST:PORT` as text: `127.0.0.1:8080`, `localhost:0`, `[::1]:8081`. */
import { StormError } from './errors.js';

export interface HostPort {
  /** Without brackets. */
  host: string;
  /** 0 asks for any free port. */
  port: number;
}

/** Throws INVALID_ARGUMENT for anything that is not HOST:PORT. */
export function parseAddress(text: string): HostPort {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new StormError(
      'INVALID_ARGUMENT',
      `An address must be HOST:PORT, like 127.0.0.1:8080 or [::1]:0: found ${JSON.stringify(text)}`,
    );
  }
  return { host, port };
}

export function formatAddress({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
