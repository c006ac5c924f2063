/** The server as its attackers and their clients see it. */
import type { BatchAnswer, ScannedPage, ScanOptions, SetExtras } from '../cli/kv-client.js';

/** Calls of one life of the server. Errors are StormErrors with a known or an unknown outcome. */
export interface Door {
  /** Which life of the server answers: 1, 2, … */
  readonly life: number;
  set(key: string, value: Uint8Array, extras: SetExtras): Promise<number>;
  getVersioned(key: string): Promise<{ value: Buffer; version: number } | undefined>;
  delete(key: string, ifVersion?: number): Promise<void>;
  batchSet(entries: { key: string; value: Uint8Array }[]): Promise<BatchAnswer>;
  scan(request: ScanOptions): AsyncIterable<ScannedPage>;
}

export interface DoorSource {
  /** The present life's; waits for the next one between two. Rejects when there will be none. */
  door(): Promise<Door>;
}
