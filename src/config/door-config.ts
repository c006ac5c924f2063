/** The part of the configuration that concerns doors; door-options.ts has defaults and meaning. */
export interface DoorConfig {
  readonly grpc: {
    /** HOST:PORT; port 0 takes any. */
    readonly address: string;
    readonly reflection: 'auto' | 'on' | 'off';
    readonly connectionsMax: number;
    readonly connectionsPerPeerMax: number;
    readonly streamsPerConnectionMax: number;
    readonly connectionIdleMsMax: number;
    readonly keepaliveMs: number;
    readonly keepaliveAnswerMsMax: number;
    readonly resetsPerSecondMax: number;
    readonly controlFramesPerSecondMax: number;
    readonly sessionBytesMax: number;
  };
  readonly http: {
    /** HOST:PORT; port 0 takes any. */
    readonly address: string;
    readonly hostsAllowed: readonly string[];
    readonly originsAllowed: readonly string[];
    readonly metricsPublic: boolean;
    readonly connectionsMax: number;
    readonly connectionsPerPeerMax: number;
    readonly headersMsMax: number;
    readonly requestMsMax: number;
    readonly keepAliveMsMax: number;
    readonly headerBytesMax: number;
  };
  readonly tls: {
    /** Empty = plain text. */
    readonly certFile: string;
    readonly keyFile: string;
    readonly clientCaFile: string;
    readonly clientAuth: 'none' | 'request' | 'require';
    readonly handshakeMsMax: number;
  };
  readonly security: {
    readonly allowPlainTextOffLoopback: boolean;
    readonly allowAnonymousOffLoopback: boolean;
    /** Empty = everybody may do everything. */
    readonly principalsFile: string;
    readonly filesCheckMs: number;
  };
  readonly audit: {
    /** Empty = the log. */
    readonly file: string;
    readonly writes: boolean;
    readonly keys: boolean;
  };
}
