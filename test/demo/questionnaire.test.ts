import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { readQuestionnaire } from '../../src/demo/questionnaire.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('readQuestionnaire');
const EXAMPLES = resolve(import.meta.dirname, '..', '..', '..', 'examples', 'questionnaires');
const MIN_VALUE = 'http://hl7.org/fhir/StructureDefinition/minValue';

function read(item: unknown, changes: object = {}) {
  return readQuestionnaire(
    'f.json',
    JSON.stringify({ resourceType: 'Questionnaire', item, ...changes }),
  );
}

test('flattens groups and questions below questions, in the order of the form', () => {
  const { questions } = read([
    { linkId: 'hello', type: 'display' },
    {
      linkId: 'g',
      type: 'group',
      item: [
        { linkId: 'g1', type: 'integer' },
        {
          linkId: 'g2',
          type: 'group',
          item: [{ linkId: 'g2a', type: 'date', item: [{ linkId: 'g2b', type: 'text' }] }],
        },
      ],
    },
    { linkId: 'last', type: 'boolean' },
  ]);
  assert.equal(
    questions.map(({ linkId, type }) => `${linkId} ${type}`),
    ['g1 integer', 'g2a date', 'g2b text', 'last boolean'],
  );
});

test('keeps what answering needs', () => {
  const { questions, title } = read(
    [
      {
        linkId: 'a',
        type: 'choice',
        required: true,
        repeats: true,
        enableWhen: [{}],
        answerOption: [
          { extension: [{}], valueCoding: { code: 'x' } },
          { valueInteger: 3, initialSelected: true },
          {},
        ],
        item: [{ linkId: 'b', type: 'integer', extension: [{ url: MIN_VALUE, valueInteger: 5 }] }],
      },
    ],
    { title: 'T' },
  );
  assert.is(title, 'T');
  const [a, b] = questions;
  assert.equal([a?.required, a?.repeats, a?.conditional], [true, true, true]);
  // Objects that were read have no prototype; the detour through text makes them comparable.
  assert.equal(JSON.parse(JSON.stringify(a?.options)), [
    { valueCoding: { code: 'x' } },
    { valueInteger: 3 },
  ]);
  // What hangs below a conditional question is conditional too.
  assert.equal([b?.min, b?.max, b?.conditional, b?.required], [5, undefined, true, false]);
});

test('refuses what is no questionnaire, and says why', () => {
  const item = { linkId: 'a', type: 'string' };
  let deep: object = item;
  for (let i = 0; i < 40; i++) deep = { linkId: `g${i}`, type: 'group', item: [deep] };
  const cases: [() => unknown, string][] = [
    [() => readQuestionnaire('f.json', '{'), 'not well-formed JSON: line 1, column 2'],
    [() => readQuestionnaire('f.json', '[]'), '"resourceType": "Questionnaire"'],
    [() => read([item], { resourceType: 'Patient' }), '"resourceType": "Questionnaire"'],
    [() => read(undefined), 'asks no question'],
    [() => read([{ linkId: 'x', type: 'display' }]), 'asks no question'],
    [() => read({}), '"item" must be a list'],
    [() => read([3]), 'an item must be an object'],
    [() => read([{ type: 'string' }]), 'an item needs a linkId'],
    [() => read([item, item]), 'the linkId "a" stands twice'],
    [() => read([{ linkId: 'x', type: 'colour' }]), 'item "x" has the type "colour"'],
    [() => read([deep]), /too deep/.source],
  ];
  for (const [body, message] of cases) {
    assert.throws(body, (error: Error) => {
      assert.match(error.message, 'Cannot use the questionnaire f.json: ');
      assert.match(error.message, message);
      return true;
    });
  }
});

test('the shipped diary has all the kinds of questions that it is there to show', () => {
  const path = resolve(EXAMPLES, 'daily-symptom-diary.json');
  const { title, questions } = readQuestionnaire(path, readFileSync(path, 'utf8'));
  assert.is(title, 'Daily symptom diary');
  assert.is(questions.length, 12);
  const types = new Set(questions.map(({ type }) => type));
  for (const type of ['boolean', 'integer', 'decimal', 'string', 'date', 'choice'] as const) {
    assert.ok(types.has(type), type);
  }
});

run();
