import * as assert from 'uvu/assert';
import { parsePrincipals } from '../../src/supervisor/principals-file.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('parsePrincipals');
const HASH = `sha256:${'ab'.repeat(32)}`;
const PRINT = `${'AB:'.repeat(31)}AB`;

const parse = (...principals: unknown[]) => parsePrincipals('who.json', textOf(principals));
const textOf = (principals: unknown[]) => JSON.stringify({ principals });

test('reads names, tokens, certificates and grants', () => {
  assert.equal(
    parse({
      name: 'ward-7',
      tokens: [HASH],
      certificates: [{ commonName: 'ward' }, { fingerprint: PRINT }],
      grants: [{ rights: ['read', 'write'], prefix: '{p' }],
      note: 'second floor',
    }),
    [
      {
        name: 'ward-7',
        disabled: false,
        tokenHashes: ['ab'.repeat(32)],
        commonNames: ['ward'],
        fingerprints: ['ab'.repeat(32)],
        grants: [{ rights: ['read', 'write'], prefix: '{p' }],
      },
    ],
  );
});

for (const [what, principals, fault] of [
  ['a token in clear', [{ name: 'a', tokens: ['skv_secret'] }], /must be "sha256:" and 64 digits/],
  ['nothing to be known by', [{ name: 'a' }], /neither tokens nor certificates/],
  ['an unknown field', [{ name: 'a', tokens: [HASH], right: [] }], /no field "right"/],
  [
    'an unknown right',
    [{ name: 'a', tokens: [HASH], grants: [{ rights: ['root'], prefix: '' }] }],
    /must be a list of read/,
  ],
  [
    'a grant without a prefix',
    [{ name: 'a', tokens: [HASH], grants: [{ rights: ['read'] }] }],
    /"" for every key/,
  ],
  [
    'one name twice',
    [
      { name: 'a', tokens: [HASH] },
      { name: 'a', tokens: [HASH] },
    ],
    /the name a belongs to a and to a/,
  ],
  [
    'one token of two',
    [
      { name: 'a', tokens: [HASH] },
      { name: 'b', tokens: [HASH] },
    ],
    /belongs to a and to b/,
  ],
  [
    'a doubtful switch',
    [{ name: 'a', tokens: [HASH], disabled: 'no' }],
    /disabled must be true or false/,
  ],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(
      () => parse(...principals),
      (error: Error) => fault.test(error.message) && !error.message.includes('skv_secret'),
    );
  });
}

test('lists every fault, and refuses what is no JSON or no list', () => {
  assert.throws(() => parse({ name: '' }, { name: 'b' }), /has 2 faults/);
  assert.throws(() => parsePrincipals('who.json', '{"principals": ['), /not well-formed JSON/);
  assert.throws(() => parsePrincipals('who.json', '[]'), /a list "principals"/);
});

run();
