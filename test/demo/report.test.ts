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
    `questionnaire   Diary (12 questions)
patients        1,000, on 4 shards, seed 42
submitted       10,500
acknowledged    10,500, 3,500/s
retried         321 calls that failed or had no known outcome
found           10,500, 7,000/s
lost            0
wrong           0

SIGKILL              after acknowledged   ready again   in the server       recovered
1                                 4,000        512 ms          210 ms   4,021 records
2 (storm was over)               10,500      1,500 ms          300 ms       1 records

Every acknowledged answer was found.
`,
  );
});

test('names what is lost or wrong, and has no table of kills where there was none', () => {
  const examples = ['lost {patient-000001}/visit-1/q', 'wrong {patient-000002}/visit-1/q'];
  const text = formatReport({ ...REPORT, found: 10_498, lost: 1, wrong: 1, kills: [], examples });
  assert.not.match(text, 'SIGKILL');
  assert.match(text, `wrong           1\n\n${examples.join('\n')}\n\nFAILED: `);
});

test('is intact only when everything acknowledged was found', () => {
  assert.ok(isIntact(REPORT));
  assert.not.ok(isIntact({ ...REPORT, lost: 1, found: 10_499 }));
  assert.not.ok(isIntact({ ...REPORT, wrong: 1 }));
  // A read-back that looked at too little proves nothing.
  assert.not.ok(isIntact({ ...REPORT, found: 0 }));
});

run();
