import * as assert from 'uvu/assert';
import { type DemoReport, formatReport, isIntact } from '../../src/demo/report.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('formatReport');

const REPORT: DemoReport = {
  title: 'Diary',
  questions: 12,
  patients: 1000,
  shards: 4,
  seed: 42,
  submitted: 10_500,
  acknowledged: 10_500,
  retries: 321,
  found: 10_500,
  lost: 0,
  wrong: 0,
  unacknowledgedFound: 0,
  examples: [],
  kills: [
    { acknowledged: 4000, recovery: { downMs: 512.3, startedMs: 210, recoveredRecords: 4021 } },
    { acknowledged: 10_500, recovery: { downMs: 1500, startedMs: 300, recoveredRecords: 1 } },
  ],
  stormMs: 3000,
  readMs: 1500,
};

test('says everything that was asked for', () => {
  assert.is(
    formatReport(REPORT),
    `questionnaire  Diary (12 questions)
patients       1,000, on 4 shards, seed 42
submitted      10,500
acknowledged   10,500, 3,500/s
retried        321 calls that failed or had no known outcome
found          10,500, 7,000/s
lost           0
wrong          0
kills          2 × SIGKILL, 1 of them in mid-storm
recovery 1     512 ms from the kill to ready (210 ms in the server, 4,021 records), \
after 4,000 acknowledged
recovery 2     1,500 ms from the kill to ready (300 ms in the server, 1 records), \
after 10,500 acknowledged

Every acknowledged answer was found.
`,
  );
});

test('is intact only when everything acknowledged was found', () => {
  assert.ok(isIntact(REPORT));
  assert.not.ok(isIntact({ ...REPORT, lost: 1, found: 10_499 }));
  assert.not.ok(isIntact({ ...REPORT, wrong: 1 }));
  // A read-back that looked at too little proves nothing.
  assert.not.ok(isIntact({ ...REPORT, found: 0 }));
});

run();
