import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { isSameMemory } from '../../src/supervisor/same-memory.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('isSameMemory');

/** What becomes of a buffer on its way through a port: another handle of the same memory. */
function handleOf(memory: SharedArrayBuffer): SharedArrayBuffer {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(memory);
  const received: { message: SharedArrayBuffer } | undefined = receiveMessageOnPort(port2);
  port1.close();
  assert.ok(received !== undefined);
  return received.message;
}

test('recognises memory that came back through a port', () => {
  const memory = new SharedArrayBuffer(64);
  const handle = handleOf(memory);
  assert.is.not(handle, memory);
  assert.ok(isSameMemory(memory, handle));
  assert.ok(isSameMemory(handle, memory));
  assert.ok(isSameMemory(memory, memory));
});

test('tells other memory apart, also after many questions', () => {
  const memory = new SharedArrayBuffer(64);
  const other = handleOf(new SharedArrayBuffer(64));
  for (let i = 0; i < 100; i++) assert.not(isSameMemory(memory, other));
  assert.ok(isSameMemory(memory, handleOf(memory)));
  assert.not(isSameMemory(memory, new SharedArrayBuffer(128)));
  assert.not(isSameMemory(new SharedArrayBuffer(0), new SharedArrayBuffer(0)));
});

test('changes nothing in the memory', () => {
  const memory = new SharedArrayBuffer(64);
  new Uint8Array(memory).fill(0xa5);
  assert.ok(isSameMemory(memory, handleOf(memory)));
  assert.ok(new Uint8Array(memory).every((byte) => byte === 0xa5));
});

run();
