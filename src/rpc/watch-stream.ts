/** kv.Feed/Watch: protobuf (proto/kv_feed.proto), and pages as fast as the reader takes them. */
import { StormError } from '../base/errors.js';
import type { KvOperations } from './kv-operations.js';
import type { WatchPage, WatchRequest } from './kv-watch.js';
import { bytesTag, numberTag, ProtoReader } from './proto-reader.js';
import { ProtoWriter } from './proto-writer.js';
import type { MessageStream } from './scan-stream.js';

const KINDS: Record<WatchPage['kind'], number> = {
  changes: 0,
  gap: 1,
  snapshot: 2,
  'snapshot-end': 3,
};

/** Throws what is wrong with the request. The result ends the stream. */
export function streamWatch(
  kv: KvOperations,
  message: Uint8Array,
  stream: MessageStream,
): { stop(): void } {
  const watch = kv.watch?.(decodeWatchRequest(message));
  if (watch === undefined) {
    throw new StormError('UNIMPLEMENTED', 'This server has no feed of changes');
  }
  stream.onCancel(() => watch.close());
  const next = (): void => {
    watch.nextPage((error, page) => {
      if (error !== undefined) stream.fail(error);
      else if (page !== undefined) {
        if (stream.write(encodeWatchResponse(page))) queueMicrotask(next);
        else stream.onRoom(next);
      }
    });
  };
  next();
  return {
    stop() {
      watch.close();
      const text = 'The server is stopping: watch again with the last token';
      stream.fail(new StormError('UNAVAILABLE', text));
    },
  };
}

export function decodeWatchRequest(message: Uint8Array): WatchRequest {
  const request = { token: '', fromNow: false, prefix: new Uint8Array(0), name: '' };
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) request.token = Buffer.from(reader.bytes()).toString();
    else if (reader.tag === numberTag(2)) request.fromNow = reader.number() !== 0;
    else if (reader.tag === bytesTag(3)) request.prefix = Uint8Array.from(reader.bytes());
    else if (reader.tag === bytesTag(4)) request.name = Buffer.from(reader.bytes()).toString();
    else reader.skip();
  }
  return request;
}

export function encodeWatchResponse({ shard, kind, changes, token }: WatchPage): Buffer {
  const writer = new ProtoWriter(4096);
  const entry = new ProtoWriter();
  writer.number(1, KINDS[kind]);
  writer.number(2, shard);
  for (const { key, value, version, expiresAtMs } of changes) {
    entry.clear();
    entry.bytes(1, key);
    if (value !== undefined) entry.bytes(2, value);
    entry.number(3, version);
    entry.number(4, expiresAtMs);
    entry.number(5, value === undefined);
    writer.message(3, entry.resultView());
  }
  writer.text(4, token);
  return writer.resultView();
}
