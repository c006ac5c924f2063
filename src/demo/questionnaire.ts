/**
 * Reads a FHIR R4 Questionnaire and flattens it into its questions, in the order of the form:
 * groups and questions may hold more items, displays ask nothing. Only what answering needs is
 * kept; what the standard allows besides is let through.
 */
import { StormError } from '../base/errors.js';
import { JsonSyntaxError, parseJsonText } from '../config/json-text.js';

/** `coding` is what R5 calls the two choices. */
const QUESTION_TYPES = [
  'boolean',
  'decimal',
  'integer',
  'date',
  'dateTime',
  'time',
  'string',
  'text',
  'url',
  'choice',
  'open-choice',
  'coding',
  'attachment',
  'reference',
  'quantity',
  'question',
] as const;
export type QuestionType = (typeof QUESTION_TYPES)[number];

export interface Question {
  linkId: string;
  type: QuestionType;
  text: string;
  required: boolean;
  repeats: boolean;
  /** Depends on the answer to another question. */
  conditional: boolean;
  /** The `value[x]` objects of answerOption; empty where any answer is possible. */
  options: readonly Record<string, unknown>[];
  lengthMax: number | undefined;
  min: number | undefined;
  max: number | undefined;
  /** Display of the unit of a quantity. */
  unit: string | undefined;
}

export interface Questionnaire {
  title: string;
  questions: readonly Question[];
}

const EXTENSION_BASE = 'http://hl7.org/fhir/StructureDefinition/';
const DEPTH_MAX = 30;
type Json = Record<string, unknown>;

/** Throws INVALID_ARGUMENT that says what is wrong with the text named `name`. */
export function readQuestionnaire(name: string, text: string): Questionnaire {
  const resource = parse(name, text);
  if (!isObject(resource) || resource['resourceType'] !== 'Questionnaire') {
    throw wrong(name, 'it must be a FHIR resource with "resourceType": "Questionnaire"');
  }
  const questions = new Map<string, Question>();
  addItems(name, resource['item'], { questions, seen: new Set(), isConditional: false, depth: 0 });
  if (questions.size === 0) throw wrong(name, 'it asks no question');
  const title = textOf(resource['title']) ?? textOf(resource['name']) ?? textOf(resource['id']);
  return { title: title ?? name, questions: [...questions.values()] };
}

interface Walk {
  questions: Map<string, Question>;
  /** linkIds of all items, groups and displays included. */
  seen: Set<string>;
  /** An item above depends on an answer. */
  isConditional: boolean;
  depth: number;
}

function addItems(name: string, items: unknown, walk: Walk): void {
  if (items === undefined) return;
  if (!Array.isArray(items)) throw wrong(name, '"item" must be a list');
  if (walk.depth > DEPTH_MAX) throw wrong(name, 'its items are nested too deep');
  for (const item of items) {
    if (!isObject(item)) throw wrong(name, 'an item must be an object');
    const { linkId, type } = item;
    if (typeof linkId !== 'string' || linkId === '') {
      throw wrong(name, `an item needs a linkId: found ${JSON.stringify(linkId)}`);
    }
    if (walk.seen.has(linkId))
      throw wrong(name, `the linkId ${JSON.stringify(linkId)} stands twice`);
    walk.seen.add(linkId);
    const isConditional = walk.isConditional || item['enableWhen'] !== undefined;
    if (isQuestionType(type)) {
      walk.questions.set(linkId, questionOf(linkId, type, item, isConditional));
    } else if (type !== 'group' && type !== 'display') {
      throw wrong(name, `item ${JSON.stringify(linkId)} has the type ${JSON.stringify(type)}`);
    }
    addItems(name, item['item'], { ...walk, isConditional, depth: walk.depth + 1 });
  }
}

function questionOf(
  linkId: string,
  type: QuestionType,
  item: Json,
  conditional: boolean,
): Question {
  const unit = extensionOf(item, 'questionnaire-unit')?.['valueCoding'];
  return {
    linkId,
    type,
    text: textOf(item['text']) ?? linkId,
    required: item['required'] === true,
    repeats: item['repeats'] === true,
    conditional,
    options: optionsOf(item['answerOption']),
    lengthMax: numberOf(item['maxLength']),
    min: boundOf(item, 'minValue'),
    max: boundOf(item, 'maxValue'),
    unit: isObject(unit) ? (textOf(unit['display']) ?? textOf(unit['code'])) : undefined,
  };
}

/** Of each option its `value[x]`, without the scores and marks that may stand beside it. */
function optionsOf(list: unknown): Record<string, unknown>[] {
  if (!Array.isArray(list)) return [];
  const options: Record<string, unknown>[] = [];
  for (const option of list) {
    if (!isObject(option)) continue;
    const name = Object.keys(option).find((key) => /^value[A-Z]/.test(key));
    if (name !== undefined) options.push({ [name]: option[name] });
  }
  return options;
}

function extensionOf(item: Json, name: string): Json | undefined {
  const extensions = item['extension'];
  if (!Array.isArray(extensions)) return undefined;
  const url = EXTENSION_BASE + name;
  return extensions.find((extension) => isObject(extension) && extension['url'] === url);
}

function boundOf(item: Json, name: string): number | undefined {
  const extension = extensionOf(item, name);
  return numberOf(extension?.['valueInteger']) ?? numberOf(extension?.['valueDecimal']);
}

function parse(name: string, text: string): unknown {
  try {
    return parseJsonText(text).value;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw wrong(name, `it is not well-formed JSON: ${error.message}`);
  }
}

function wrong(name: string, what: string): StormError {
  return new StormError('INVALID_ARGUMENT', `Cannot use the questionnaire ${name}: ${what}`);
}

function isQuestionType(type: unknown): type is QuestionType {
  return QUESTION_TYPES.some((known) => known === type);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
