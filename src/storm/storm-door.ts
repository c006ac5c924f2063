/** The ways into the server that a storm can take. */
import { RunReader } from '../base/entry-run.js';
import { messageOf, StormError } from '../base/errors.js';
import { type Channel, openChannel } from '../client/channel.js';
import { connect } from '../client/client.js';
import { openHttpDoor } from '../demo/http-door.js';
import { decodeGetResponse, encodeKeyRequest, encodeSetRequest } from '../rpc/kv-codec.js';

export const DOORS = ['ingest', 'client', 'grpc', 'http'] as const;
export type DoorName = (typeof DOORS)[number];

type EntryDone = (position: number, error: StormError | undefined) => void;
type ReadDone = (error: StormError | undefined, value: Uint8Array | undefined) => void;

export interface StormDoor {
  /** `done` is called once for every entry of the run, which must not change until then. */
  write(run: Uint8Array, count: number, done: EntryDone): void;
  read(key: Buffer, done: ReadDone): void;
  close(): Promise<void>;
}

export interface DoorOptions {
  readonly door: DoorName;
  /** gRPC addresses. */
  readonly targets: readonly string[];
  readonly httpTargets: readonly string[];
  /** To each target; HTTP takes one for each call at a time, at most so many times eight. */
  readonly connections: number;
  /** Of one attempt. */
  readonly timeoutMs: number;
}

const BACKLOG_ENTRIES_MAX = 10_000_000;
const HTTP_SOCKETS = 8;
const SET = '/kv.Kv/Set';
const GET = '/kv.Kv/Get';

/** Connects at the first call. */
export function openStormDoor(options: DoorOptions, wallMs: () => number): StormDoor {
  switch (options.door) {
    case 'ingest':
    case 'client':
      return libraryDoor(options, options.door === 'ingest');
    case 'grpc':
      return unaryDoor(options, wallMs);
    case 'http':
      return httpDoor(options);
  }
}

/** The client library: a batch for each submission, or a call for each entry. */
function libraryDoor(options: DoorOptions, isBatch: boolean): StormDoor {
  const { targets, connections, timeoutMs } = options;
  const backlogEntriesMax = BACKLOG_ENTRIES_MAX;
  const kv = connect({ endpoints: targets, connections, deadlineMs: timeoutMs, backlogEntriesMax });
  const writeBatch: StormDoor['write'] = (run, count, done) => {
    kv.batchPacked(run).then(
      ({ errors }) => {
        let next = 0;
        for (let i = 0; i < count; i++) {
          const failure = errors[next]?.index === i ? errors[next++] : undefined;
          done(i, failure?.error);
        }
      },
      (cause) => {
        for (let i = 0; i < count; i++) done(i, stormErrorOf(cause));
      },
    );
  };
  const writeEach: StormDoor['write'] = (run, _count, done) => {
    eachEntry(run, (position, key, value) => {
      kv.set(key, value).then(
        () => done(position, undefined),
        (cause) => done(position, stormErrorOf(cause)),
      );
    });
  };
  return {
    write: isBatch ? writeBatch : writeEach,
    read: (key, done) => void kv.get(key).then((value) => done(undefined, value), failing(done)),
    close: () => kv.close(),
  };
}

/** One call for each entry, as a client of any language makes them. */
function unaryDoor(options: DoorOptions, wallMs: () => number): StormDoor {
  const { targets, connections, timeoutMs } = options;
  const channels = targets.flatMap((target) =>
    Array.from({ length: connections }, () => openChannel(target, wallMs)),
  );
  let turn = 0;
  const channel = (): Channel => {
    turn = (turn + 1) % channels.length;
    return channels[turn] as Channel;
  };
  return {
    write: (run, _count, done) =>
      eachEntry(run, (position, key, value) => {
        const message = encodeSetRequest(key, value);
        channel().unary(SET, message, timeoutMs, (error) => done(position, error));
      }),
    read: (key, done) =>
      channel().unary(GET, encodeKeyRequest(key), timeoutMs, (error, response) => {
        if (error === undefined) done(undefined, decodeGetResponse(response));
        else done(error.code === 'NOT_FOUND' ? undefined : error, undefined);
      }),
    async close() {
      for (const each of channels) each.close();
    },
  };
}

/** PUT and GET /kv/KEY. */
function httpDoor({ httpTargets, connections, timeoutMs }: DoorOptions): StormDoor {
  const sockets = connections * HTTP_SOCKETS;
  const doors = httpTargets.map((target) => openHttpDoor(target, sockets, timeoutMs));
  let turn = 0;
  const next = () => {
    turn = (turn + 1) % doors.length;
    return doors[turn] as (typeof doors)[number];
  };
  return {
    write: (run, _count, done) =>
      eachEntry(run, (position, key, value) => {
        const name = Buffer.from(key).toString('utf8');
        next()
          .put(name, Buffer.from(value.buffer, value.byteOffset, value.length))
          .then(
            () => done(position, undefined),
            (cause) => done(position, stormErrorOf(cause)),
          );
      }),
    read: (key, done) =>
      void next()
        .get(key.toString('utf8'))
        .then((value) => done(undefined, value), failing(done)),
    async close() {
      for (const door of doors) door.close();
    },
  };
}

function eachEntry(
  run: Uint8Array,
  take: (position: number, key: Uint8Array, value: Uint8Array) => void,
): void {
  const reader = new RunReader();
  reader.reset(run, 0, run.length);
  for (let i = 0; reader.next(); i++) {
    const { keyStart, keyLength, valueStart, valueLength } = reader;
    const value = run.subarray(valueStart, valueStart + valueLength);
    take(i, run.subarray(keyStart, keyStart + keyLength), value);
  }
}

function failing(done: ReadDone): (cause: unknown) => void {
  return (cause) => done(stormErrorOf(cause), undefined);
}

function stormErrorOf(cause: unknown): StormError {
  if (cause instanceof StormError) return cause;
  return new StormError('INTERNAL', messageOf(cause), { cause, outcome: 'unknown' });
}
