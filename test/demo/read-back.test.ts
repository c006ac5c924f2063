import * as assert from 'uvu/assert';
import { answersOf } from '../../src/demo/answers.js';
import { Ledger } from '../../src/demo/ledger.js';
import { judge, readBack } from '../../src/demo/read-back.js';
import { suite } from '../harness/suite.js';
import { formOf } from './demo-rig.js';

const { test, run } = suite('readBack');
const trial = { form: formOf(3), patientCount: 20, seed: 9 };

/** A store and a ledger in which everything was sent and acknowledged. */
function complete() {
  const ledger = new Ledger(20, 3);
  const stored = new Map<string, Buffer>();
  for (let patient = 0; patient < 20; patient++) {
    for (const { key, value, question } of answersOf(trial.form, patient, trial.seed)) {
      ledger.submit(patient, question);
      ledger.acknowledge(patient, question);
      stored.set(key, value);
    }
  }
  return { ledger, stored };
}

async function readAll({ ledger, stored }: ReturnType<typeof complete>) {
  let read = 0;
  const httpKeys: string[] = [];
  const grpc = { put: () => Promise.resolve(), get: async (key: string) => stored.get(key) };
  const http = {
    ...grpc,
    get: async (key: string) => {
      httpKeys.push(key);
      return stored.get(key);
    },
  };
  const result = await readBack({
    trial,
    ledger,
    doors: { current: () => Promise.resolve({ grpc, http }) },
    patientsAtOnce: 4,
    patienceMs: 0,
    monotonicMs: () => 0,
    sleep: () => Promise.resolve(),
    onRead: () => void read++,
  });
  return { result, read, httpKeys };
}

test('finds what is there, through both doors', async () => {
  const { result, read, httpKeys } = await readAll(complete());
  assert.equal(result, { found: 60, lost: 0, wrong: 0, unacknowledgedFound: 0, examples: [] });
  assert.is(read, 60);
  assert.equal(httpKeys.filter((key) => key.startsWith('{patient-000005}')).length, 3);
  assert.is(httpKeys.length, 6);
});

test('an acknowledged answer that is missing is lost, and named', async () => {
  const world = complete();
  world.stored.delete('{patient-000007}/visit-1/q1');
  const { result } = await readAll(world);
  assert.equal([result.found, result.lost, result.wrong], [59, 1, 0]);
  assert.equal(result.examples, ['lost {patient-000007}/visit-1/q1']);
});

test('an answer with other bytes is wrong, be it only by one bit or the neighbour’s', async () => {
  const world = complete();
  const key = '{patient-000007}/visit-1/q1';
  const flipped = Buffer.from(world.stored.get(key) ?? '');
  flipped.writeUInt8(flipped.readUInt8(5) ^ 1, 5);
  world.stored.set(key, flipped);
  const other = world.stored.get('{patient-000009}/visit-1/q0');
  world.stored.set('{patient-000008}/visit-1/q0', other ?? Buffer.alloc(0));
  const { result } = await readAll(world);
  assert.equal([result.found, result.lost, result.wrong], [58, 0, 2]);
});

test('what was never acknowledged may be there or not, but never with other bytes', () => {
  const sent = Buffer.from('sent');
  assert.is(judge(undefined, sent, false), undefined);
  assert.is(judge(Buffer.from('sent'), sent, false), 'unacknowledgedFound');
  assert.is(judge(Buffer.from('else'), sent, false), 'wrong');
});

run();
