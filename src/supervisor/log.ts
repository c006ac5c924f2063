/**
 * The log: JSON lines, one per event, written by the main thread alone (other threads send theirs).
 * The only importer of pino. Lines are written synchronously, so that none is lost when the process
 * ends right after.
 */
import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Record<string, string | number | boolean>;

export interface Log {
  write(level: LogLevel, message: string, fields?: LogFields): void;
  /** Lines below this are left out from now on. */
  setLevel?(level: LogLevel | 'silent'): void;
}

export interface LogOptions {
  level: LogLevel | 'silent';
  /** File descriptor; 2 = stderr. */
  fd?: number;
}

export function createLog({ level, fd = 2 }: LogOptions): Log {
  const logger = pino(
    { level, base: { pid: process.pid }, formatters: { level: (label) => ({ level: label }) } },
    pino.destination({ fd, sync: true }),
  );
  return {
    write: (lineLevel, message, fields = {}) => logger[lineLevel](fields, message),
    setLevel(wanted) {
      logger.level = wanted;
    },
  };
}
