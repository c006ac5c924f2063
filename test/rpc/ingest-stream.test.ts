import * as assert from 'uvu/assert';
import type { StormError } from '../../src/base/errors.js';
import { decodeBatchSetResponse } from '../../src/rpc/client-codec.js';
import {
  type DuplexMessageStream,
  IngestStream,
  WHOLE_BATCH,
} from '../../src/rpc/ingest-stream.js';
import { ProtoWriter } from '../../src/rpc/proto-writer.js';
import { GRPC_STATUS_OF } from '../../src/rpc/status-map.js';
import { suite } from '../harness/suite.js';
import { keyOn, type Rig, rig, runOf, value } from '../router/operations-rig.js';

const { test, run } = suite('IngestStream');
const A = keyOn(0, 1);
const B = keyOn(1, 2);

/** A client at the other end of a stream, all on the test's thread. */
class FakeStream implements DuplexMessageStream {
  readonly answers: { written: number; codes: number[]; indexes: number[] }[] = [];
  isPaused = false;
  ended = false;
  failure: StormError | undefined;
  /** Answers that fit before the client has to read. */
  room = Number.POSITIVE_INFINITY;
  #take: (message: Buffer) => void = () => {};
  #ended: () => void = () => {};
  #stop: () => void = () => {};
  #go: (() => void) | undefined;
  readonly #unread: Buffer[] = [];

  /** What the client sends; it waits while the stream is paused. */
  send(run: Uint8Array): void {
    this.sendMessage(packed(run));
  }

  sendMessage(message: Buffer): void {
    this.#unread.push(message);
    this.#flow();
  }

  get unread(): number {
    return this.#unread.length;
  }

  sendEnd(): void {
    this.#ended();
  }

  cancel(): void {
    this.#stop();
  }

  read(): void {
    this.room = Number.POSITIVE_INFINITY;
    const go = this.#go;
    this.#go = undefined;
    go?.();
  }

  onMessage(take: (message: Buffer) => void): void {
    this.#take = take;
  }

  onEnd(ended: () => void): void {
    this.#ended = ended;
  }

  onCancel(stop: () => void): void {
    this.#stop = stop;
  }

  onRoom(go: () => void): void {
    assert.is(this.#go, undefined, 'room is asked for once');
    this.#go = go;
  }

  pause(): void {
    assert.not.ok(this.isPaused);
    this.isPaused = true;
  }

  resume(): void {
    assert.ok(this.isPaused);
    this.isPaused = false;
    this.#flow();
  }

  write(message: Buffer): boolean {
    const { written, errors } = decodeBatchSetResponse(message);
    const codes = errors.map(({ code }) => code);
    this.answers.push({ written, codes, indexes: errors.map(({ index }) => index) });
    return --this.room > 0;
  }

  end(): void {
    this.ended = true;
  }

  fail(error: StormError): void {
    this.failure = error;
  }

  #flow(): void {
    while (!this.isPaused) {
      const message = this.#unread.shift();
      if (message === undefined) return;
      this.#take(message);
    }
  }
}

function packed(run: Uint8Array): Buffer {
  const writer = new ProtoWriter(run.length + 16);
  writer.bytes(2, run);
  return Buffer.from(writer.resultView());
}

interface House extends Rig {
  stream: FakeStream;
  ingest: IngestStream;
}

function house(options: Parameters<typeof rig>[0] = {}): House {
  const inner = rig(options);
  const stream = new FakeStream();
  const ingest = new IngestStream(inner.cluster.router, () => Number.POSITIVE_INFINITY, stream);
  ingest.start();
  return { ...inner, stream, ingest };
}

const GOOD = (written: number) => ({ written, codes: [], indexes: [] });

test('answers in the order of the batches, whichever shard is first', () => {
  const { cluster, stream } = house();
  stream.send(runOf([[A, '1']]));
  stream.send(runOf([[B, '2']]));
  stream.send(
    runOf([
      [A, '3'],
      [B, '4'],
    ]),
  );
  for (const task of cluster.tasks.splice(0)) task();
  cluster.shard(1).step();
  cluster.router.pump();
  assert.equal(stream.answers, [], 'the first batch is not durable yet');
  cluster.settle();
  assert.equal(stream.answers, [GOOD(1), GOOD(1), GOOD(2)]);
});

test('answers a refused batch in its place and goes on', () => {
  const inner = house({ limits: { batchEntriesMax: 2 } });
  const { cluster, stream } = inner;
  stream.send(runOf([[A, '1']]));
  stream.send(Uint8Array.of(0, 0xc1));
  const three = Array.from({ length: 3 }, (_, i): [string, string] => [keyOn(0, i), 'x']);
  stream.send(runOf(three));
  const both = new ProtoWriter(64);
  both.message(1, Uint8Array.of(0x0a, 1, 0x61));
  both.bytes(2, runOf([[A, '2']]));
  stream.sendMessage(Buffer.from(both.resultView()));
  stream.send(runOf([['', 'no key']]));
  stream.send(runOf([[B, '3']]));
  cluster.settle();
  const invalid = GRPC_STATUS_OF.INVALID_ARGUMENT;
  const refused = { written: 0, codes: [invalid], indexes: [WHOLE_BATCH] };
  assert.equal(stream.answers, [
    GOOD(1),
    refused,
    refused,
    refused,
    { written: 0, codes: [invalid], indexes: [0] },
    GOOD(1),
  ]);
  assert.equal([value(inner, A), value(inner, B)], ['1', '3']);
});

test('a full lane pauses the source; nothing is refused', () => {
  const { cluster, stream } = house();
  const count = 40;
  for (let i = 0; i < count; i++) stream.send(runOf([[A, `${i}`.padEnd(500, '.')]]));
  assert.ok(stream.isPaused);
  assert.ok(stream.unread > 30, `${stream.unread} wait at the client`);
  cluster.settle();
  assert.equal(stream.answers, Array(count).fill(GOOD(1)));
  assert.not.ok(stream.isPaused);
  assert.is(cluster.shard(0).writesServed, count);
});

test('a shard that is down does not hold the stream: its batches are refused', () => {
  const { cluster, stream } = house();
  cluster.router.shardDown(0, 'killed');
  stream.send(runOf([[A, '1']]));
  stream.send(runOf([[B, '2']]));
  cluster.settle();
  const unavailable = { written: 0, codes: [GRPC_STATUS_OF.UNAVAILABLE], indexes: [0] };
  assert.equal(stream.answers, [unavailable, GOOD(1)]);
});

test('a batch waits for a place among the calls in flight, too', () => {
  const { cluster, stream } = house({ limits: { inFlightMax: 3 } });
  for (let i = 0; i < 9; i++) stream.send(runOf([[A, `${i}`]]));
  assert.ok(stream.isPaused);
  cluster.settle();
  assert.equal(stream.answers, Array(9).fill(GOOD(1)));
});

test('has at most 256 batches unanswered', () => {
  const { cluster, stream } = house({
    limits: { inFlightMax: 1024 },
    sizes: { writeRequestBytes: 65_536 },
  });
  for (let i = 0; i < 300; i++) stream.send(runOf([[A, 'x']]));
  assert.is(stream.unread, 300 - 256);
  cluster.settle();
  assert.is(stream.answers.length, 300);
});

test('a client that does not read its answers is paused until it does', () => {
  const { cluster, stream } = house();
  stream.room = 1;
  stream.send(runOf([[A, '1']]));
  cluster.settle();
  assert.ok(stream.isPaused);
  stream.send(runOf([[A, '2']]));
  assert.is(stream.unread, 1);
  stream.read();
  cluster.settle();
  assert.is(stream.answers.length, 2);
});

test('ends when the client has ended and every batch is answered', () => {
  const { cluster, stream } = house();
  stream.send(runOf([[A, '1']]));
  stream.sendEnd();
  assert.not.ok(stream.ended);
  cluster.settle();
  assert.equal([stream.answers, stream.ended, stream.failure], [[GOOD(1)], true, undefined]);
});

test('a client that ends without a batch is answered at once', () => {
  const { stream } = house();
  stream.sendEnd();
  assert.ok(stream.ended);
});

test('stopped, it answers what it took and says that the rest was not applied', () => {
  const inner = house();
  const { cluster, stream, ingest } = inner;
  for (let i = 0; i < 40; i++) stream.send(runOf([[A, `${i}`.padEnd(500, '.')]]));
  const { unread } = stream;
  stream.sendEnd();
  ingest.stop();
  assert.is(stream.failure, undefined, 'what was taken is answered first');
  cluster.settle();
  const { answers, failure } = stream;
  // One was read and waited for room.
  assert.is(answers.length, 40 - unread - 1);
  assert.equal([failure?.code, failure?.outcome], ['UNAVAILABLE', 'not-applied']);
  assert.not.ok(stream.ended);
  assert.is(cluster.shard(0).writesServed, answers.length);
});

test('nothing is written to a stream that was cancelled', () => {
  const { cluster, stream } = house();
  stream.send(runOf([[A, '1']]));
  stream.cancel();
  cluster.settle();
  stream.send(runOf([[A, '2']]));
  cluster.settle();
  assert.equal([stream.answers, stream.ended, stream.failure], [[], false, undefined]);
  assert.is(cluster.shard(0).writesServed, 1);
});

run();
