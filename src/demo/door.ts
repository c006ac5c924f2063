/** How the demo's patients reach the store, whatever the protocol. */

/** Errors are StormErrors; a failed put may have been applied. */
export interface Door {
  put(key: string, value: Buffer): Promise<void>;
  /** Undefined when the key has no value. */
  get(key: string): Promise<Buffer | undefined>;
}

/** The ways into one life of the server. */
export interface Doors {
  readonly grpc: Door;
  readonly http: Door;
}

/** Where to find the server now. */
export interface DoorSource {
  /** Waits while the server is down; rejects when it will not come back. */
  current(): Promise<Doors>;
}
