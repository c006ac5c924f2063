/**
 * What the simulated patients answer: as JSON like an item of a FHIR QuestionnaireResponse. A
 * patient's answers depend only on the seed, so they can be made again to check what was stored.
 */
import { Dice } from './dice.js';
import type { Question, Questionnaire } from './questionnaire.js';

export interface Answer {
  /** Position of the question in the questionnaire. */
  question: number;
  key: string;
  value: Buffer;
}

const ANSWERED_OPTIONAL = 0.9;
const ANSWERED_CONDITIONAL = 0.5;
const FREE_TEXT = 0.2;
const REPEATS_MAX = 3;
const TEXT_WORDS_MAX = 40;
const WORDS = ['felt', 'better', 'worse', 'after', 'lunch', 'slept', 'müde', '頭痛', 'no', 'pain'];

/** `{patient-000017}/visit-1/q3`: the tag in braces keeps one patient's answers on one shard. */
export function answerKey(patient: number, linkId: string): string {
  return `{${patientName(patient)}}/visit-1/${linkId}`;
}

/** The filled-in questionnaire of one patient; questions that were skipped have no answer. */
export function answersOf(form: Questionnaire, patient: number, seed: number): Answer[] {
  const answers: Answer[] = [];
  for (let i = 0; i < form.questions.length; i++) {
    const question = form.questions[i];
    if (question === undefined) continue;
    const dice = new Dice(seed, `${patient}/${question.linkId}`);
    if (!isAnswered(question, dice)) continue;
    const count = question.repeats ? dice.between(1, REPEATS_MAX) : 1;
    const answer = Array.from({ length: count }, () => answerValue(question, patient, dice));
    const content = { linkId: question.linkId, subject: patientName(patient), answer };
    const value = Buffer.from(JSON.stringify(content), 'utf8');
    answers.push({ question: i, key: answerKey(patient, question.linkId), value });
  }
  return answers;
}

function patientName(patient: number): string {
  return `patient-${String(patient).padStart(6, '0')}`;
}

function isAnswered(question: Question, dice: Dice): boolean {
  if (question.conditional) return dice.chance(ANSWERED_CONDITIONAL);
  return question.required || dice.chance(ANSWERED_OPTIONAL);
}

/** One `value[x]`. */
function answerValue(question: Question, patient: number, dice: Dice): Record<string, unknown> {
  const [first, ...others] = question.options;
  if (first !== undefined && !(question.type === 'open-choice' && dice.chance(FREE_TEXT))) {
    return dice.pick([first, ...others]);
  }
  switch (question.type) {
    case 'boolean':
      return { valueBoolean: dice.chance(0.5) };
    case 'integer':
      return { valueInteger: wholeNumber(question, dice) };
    case 'decimal':
      return { valueDecimal: decimal(question, dice) };
    case 'quantity':
      return { valueQuantity: { value: decimal(question, dice), unit: question.unit ?? '1' } };
    case 'date':
      return { valueDate: date(dice) };
    case 'dateTime':
      return { valueDateTime: `${date(dice)}T${time(dice)}Z` };
    case 'time':
      return { valueTime: time(dice) };
    case 'url':
      return { valueUri: `https://example.org/${dice.between(0, 1_000_000)}` };
    case 'attachment':
      return { valueAttachment: { contentType: 'text/plain', title: words(question, dice) } };
    case 'reference':
      return { valueReference: { reference: `Patient/${patientName(patient)}` } };
    case 'choice':
    case 'coding':
      return { valueCoding: { display: `Choice ${dice.between(1, 9)}` } };
    default:
      return { valueString: words(question, dice) };
  }
}

function wholeNumber({ min, max }: Question, dice: Dice): number {
  const least = Math.ceil(min ?? 0);
  return dice.between(least, Math.max(least, Math.floor(max ?? least + 100)));
}

/** With one decimal place. */
function decimal({ min, max }: Question, dice: Dice): number {
  const least = Math.ceil((min ?? 0) * 10);
  return dice.between(least, Math.max(least, Math.floor((max ?? 100) * 10))) / 10;
}

function date(dice: Dice): string {
  return `2026-${twoDigits(dice.between(1, 12))}-${twoDigits(dice.between(1, 28))}`;
}

function time(dice: Dice): string {
  return `${twoDigits(dice.between(0, 23))}:${twoDigits(dice.between(0, 59))}:00`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function words({ lengthMax }: Question, dice: Dice): string {
  const count = dice.between(1, TEXT_WORDS_MAX);
  const chosen = Array.from({ length: count }, () => WORDS[dice.between(0, WORDS.length - 1)]);
  // By code points, so that no character is cut in two.
  return [...chosen.join(' ')].slice(0, lengthMax ?? 1000).join('');
}
