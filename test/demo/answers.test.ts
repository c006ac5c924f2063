import * as assert from 'uvu/assert';
import { answerKey, answersOf } from '../../src/demo/answers.js';
import type { Question } from '../../src/demo/questionnaire.js';
import { suite } from '../harness/suite.js';
import { formOf, question } from './demo-rig.js';

const { test, run } = suite('answersOf');
const PATIENTS = 300;

/** The `value[x]` objects that many patients give to one question. */
function valuesOf(changes: Partial<Question>): Record<string, unknown>[] {
  const form = { title: '', questions: [question('q', changes)] };
  const values = [];
  for (let patient = 0; patient < PATIENTS; patient++) {
    for (const { value } of answersOf(form, patient, 1)) {
      values.push(...JSON.parse(value.toString('utf8')).answer);
    }
  }
  return values;
}

test('is the same for the same seed and differs between seeds and patients', () => {
  const form = formOf(5);
  assert.equal(answersOf(form, 3, 7), answersOf(form, 3, 7));
  assert.not.equal(answersOf(form, 3, 7), answersOf(form, 3, 8));
  const subjectless = (patient: number) =>
    answersOf(form, patient, 7).map(({ value }) => JSON.parse(value.toString()).answer);
  assert.not.equal(subjectless(3), subjectless(4));
});

test('names keys so that one patient stays on one shard, and values say whose they are', () => {
  assert.is(answerKey(17, '/44250-9'), '{patient-000017}/visit-1//44250-9');
  const [answer] = answersOf(formOf(1), 17, 0);
  assert.is(answer?.key, '{patient-000017}/visit-1/q0');
  const { linkId, subject } = JSON.parse(answer?.value.toString() ?? '');
  assert.equal([linkId, subject], ['q0', 'patient-000017']);
});

test('required questions are always answered, others mostly, conditional ones sometimes', () => {
  const share = (changes: Partial<Question>) => valuesOf(changes).length / PATIENTS;
  assert.is(share({ required: true }), 1);
  const optional = share({ required: false });
  const conditional = share({ required: true, conditional: true });
  assert.ok(optional > 0.8 && optional < 1, String(optional));
  assert.ok(conditional > 0.35 && conditional < 0.65, String(conditional));
});

test('a question that repeats has one to three answers', () => {
  const perPatient = valuesOf({ repeats: true }).length / PATIENTS;
  assert.ok(perPatient > 1.5 && perPatient < 2.5, String(perPatient));
});

test('each type has its own kind of value', () => {
  const kinds: [Question['type'], string, RegExp][] = [
    ['boolean', 'valueBoolean', /^(?:true|false)$/],
    ['integer', 'valueInteger', /^\d{1,3}$/],
    ['decimal', 'valueDecimal', /^\d{1,3}(?:\.\d)?$/],
    ['date', 'valueDate', /^"2026-\d\d-\d\d"$/],
    ['dateTime', 'valueDateTime', /^"2026-\d\d-\d\dT\d\d:\d\d:00Z"$/],
    ['time', 'valueTime', /^"\d\d:\d\d:00"$/],
    ['string', 'valueString', /^".+"$/],
    ['text', 'valueString', /^".+"$/],
    ['url', 'valueUri', /^"https:/],
    ['choice', 'valueCoding', /"display"/],
    ['open-choice', 'valueString', /^".+"$/],
    ['attachment', 'valueAttachment', /"contentType"/],
    ['reference', 'valueReference', /"Patient\/patient-/],
    ['quantity', 'valueQuantity', /"value":[\d.]+,"unit"/],
  ];
  for (const [type, name, pattern] of kinds) {
    for (const value of valuesOf({ type })) {
      assert.equal(Object.keys(value), [name], type);
      assert.match(JSON.stringify(value[name]), pattern);
    }
  }
});

test('numbers keep their bounds and texts their length', () => {
  const integers = valuesOf({ type: 'integer', min: -2, max: 2 });
  const seen = new Set(integers.map(({ valueInteger }) => Number(valueInteger)));
  assert.equal(
    [...seen].sort((a, b) => a - b),
    [-2, -1, 0, 1, 2],
  );
  for (const { valueDecimal } of valuesOf({ type: 'decimal', min: 0.5, max: 0.7 })) {
    assert.ok(Number(valueDecimal) >= 0.5 && Number(valueDecimal) <= 0.7);
  }
  // Bounds that contradict each other are the form's fault; an answer is still given.
  assert.is(valuesOf({ type: 'integer', min: 9, max: 3 })[0]?.['valueInteger'], 9);
  for (const { valueString } of valuesOf({ lengthMax: 5 })) {
    assert.ok([...String(valueString)].length <= 5);
  }
});

test('choices are among the options; an open choice has others too', () => {
  const options = [{ valueString: 'a' }, { valueInteger: 2 }, { valueCoding: { code: 'c' } }];
  const texts = new Set(
    valuesOf({ type: 'choice', options }).map((value) => JSON.stringify(value)),
  );
  assert.equal([...texts].sort(byText), options.map((value) => JSON.stringify(value)).sort(byText));
  const open = valuesOf({ type: 'open-choice', options });
  const isFree = ({ valueString }: Record<string, unknown>) =>
    valueString !== undefined && valueString !== 'a';
  const free = open.filter(isFree).length / open.length;
  assert.ok(free > 0.1 && free < 0.3, String(free));
});

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

run();
