/** What one connection, or one peer, may ask of a door. Times in ms. */
import type { ListenerLimits } from './door-listener.js';
import type { SessionLimits } from './session-guard.js';

export interface GrpcDoorLimits extends ListenerLimits, SessionLimits {
  /** A connection without a call is closed after so long. */
  connectionIdleMs: number;
  /** Memory of one connection; further calls on it are refused. */
  sessionBytesMax: number;
  /** Calls at once on one connection. */
  concurrentStreamsMax: number;
  /** How often an idle connection is probed, and how long an answer may take. */
  keepaliveTimeMs: number;
  keepaliveTimeoutMs: number;
}

export interface HttpDoorLimits extends ListenerLimits {
  /** From a connection, or the first byte of a request, to the end of its headers. */
  headersTimeoutMs: number;
  /** From the first byte of a request to its last. */
  requestTimeoutMs: number;
  /** A connection without a request is closed after so long. */
  keepAliveTimeoutMs: number;
  /** Headers of a request, besides room for a percent-encoded key. */
  headerBytesMax: number;
}
