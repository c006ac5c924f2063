/**
 * The principals file: who may call and what each may do (docs/SECURITY.md has the schema). Parsed
 * as strictly as the configuration: anything unknown or doubtful is a fault, and all faults are
 * listed together, because a slip here opens a door or closes it. Pure.
 */
import { StormError } from '../base/errors.js';
import { JsonSyntaxError, parseJsonText } from '../config/json-text.js';
import { type Grant, type PrincipalSettings, RIGHTS, type Right } from '../rpc/door-security.js';

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/;
const TOKEN_HASH_PATTERN = /^sha256:([0-9a-f]{64})$/;
const FINGERPRINT_PATTERN = /^(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/;
const PRINCIPALS_MAX = 10_000;
const KNOWN = ['name', 'disabled', 'tokens', 'certificates', 'grants', 'note'];

/** Throws INVALID_ARGUMENT that lists every fault. */
export function parsePrincipals(name: string, text: string): PrincipalSettings[] {
  const faults: string[] = [];
  const principals = parse(text, faults);
  findDoubles(principals, faults);
  if (faults.length === 0) return principals;
  const head = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  throw new StormError('INVALID_ARGUMENT', `${name} has ${head}:\n  - ${faults.join('\n  - ')}`);
}

function parse(text: string, faults: string[]): PrincipalSettings[] {
  let value: unknown;
  try {
    value = parseJsonText(text).value;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    faults.push(`it is not well-formed JSON: ${error.message}`);
    return [];
  }
  if (!isObject(value) || !Array.isArray(value['principals'])) {
    faults.push('it must hold an object with a list "principals"');
    return [];
  }
  for (const key of Object.keys(value)) {
    if (key !== 'principals' && key !== '$schema') faults.push(`there is no field ${shown(key)}`);
  }
  const list: unknown[] = value['principals'];
  if (list.length > PRINCIPALS_MAX) faults.push(`there are more than ${PRINCIPALS_MAX} principals`);
  return list.flatMap((one, i) => principalOf(one, `principals[${i}]`, faults) ?? []);
}

function principalOf(value: unknown, at: string, faults: string[]): PrincipalSettings | undefined {
  if (!isObject(value)) {
    faults.push(`${at} must be an object: found ${shown(value)}`);
    return undefined;
  }
  for (const key of Object.keys(value)) {
    if (!KNOWN.includes(key)) faults.push(`${at} has no field ${shown(key)}: ${KNOWN.join(', ')}`);
  }
  const { name, disabled = false } = value;
  if (typeof name !== 'string' || !NAME_PATTERN.test(name)) {
    faults.push(`${at}.name must be letters, digits and ._@-: found ${shown(name)}`);
    return undefined;
  }
  const where = `${at} (${name})`;
  if (typeof disabled !== 'boolean') faults.push(`${where}.disabled must be true or false`);
  const tokens = listOf(value['tokens'], `${where}.tokens`, faults);
  const certificates = listOf(value['certificates'], `${where}.certificates`, faults);
  const grants = listOf(value['grants'], `${where}.grants`, faults);
  const settings = {
    name,
    disabled: disabled !== false,
    tokenHashes: tokens.flatMap((one, i) => hashOf(one, `${where}.tokens[${i}]`, faults)),
    commonNames: [] as string[],
    fingerprints: [] as string[],
    grants: grants.flatMap((one, i) => grantOf(one, `${where}.grants[${i}]`, faults)),
  };
  certificates.forEach((one, i) => {
    addCertificate(one, `${where}.certificates[${i}]`, settings, faults);
  });
  if (tokens.length + certificates.length === 0) {
    faults.push(`${where} has neither tokens nor certificates: nobody could be it`);
  }
  return settings;
}

function hashOf(value: unknown, at: string, faults: string[]): string[] {
  const hash = typeof value === 'string' ? TOKEN_HASH_PATTERN.exec(value)?.[1] : undefined;
  if (hash !== undefined) return [hash];
  // What is there may be a token itself, and is not repeated where logs could keep it.
  faults.push(`${at} must be "sha256:" and 64 digits 0-9 a-f, as stormkv token new prints them`);
  return [];
}

function addCertificate(
  value: unknown,
  at: string,
  into: { commonNames: string[]; fingerprints: string[] },
  faults: string[],
): void {
  const fields = isObject(value) ? Object.entries(value) : [];
  const [field, text] = fields[0] ?? [];
  if (fields.length === 1 && field === 'commonName' && typeof text === 'string' && text !== '') {
    into.commonNames.push(text);
  } else if (
    fields.length === 1 &&
    field === 'fingerprint' &&
    typeof text === 'string' &&
    FINGERPRINT_PATTERN.test(text)
  ) {
    into.fingerprints.push(text.replaceAll(':', '').toLowerCase());
  } else {
    faults.push(
      `${at} must be {"commonName": TEXT} or {"fingerprint": SHA-256 as 64 hexadecimal digits}: ` +
        `found ${shown(value)}`,
    );
  }
}

function grantOf(value: unknown, at: string, faults: string[]): Grant[] {
  if (!isObject(value)) {
    faults.push(`${at} must be an object: found ${shown(value)}`);
    return [];
  }
  const { rights, prefix, ...rest } = value;
  for (const key of Object.keys(rest)) faults.push(`${at} has no field ${shown(key)}`);
  const isRight = (right: unknown): right is Right => RIGHTS.some((known) => known === right);
  if (!Array.isArray(rights) || rights.length === 0 || !rights.every(isRight)) {
    faults.push(`${at}.rights must be a list of ${RIGHTS.join(', ')}: found ${shown(rights)}`);
    return [];
  }
  // Left out it could be meant as everything or as nothing.
  if (typeof prefix !== 'string') {
    faults.push(`${at}.prefix must be a text, "" for every key: found ${shown(prefix)}`);
    return [];
  }
  return [{ rights, prefix }];
}

/** A name, token or certificate stands for one principal. */
function findDoubles(principals: readonly PrincipalSettings[], faults: string[]): void {
  const owners = new Map<string, string>();
  const claim = (what: string, owner: string, identity = what) => {
    const other = owners.get(identity);
    if (other !== undefined) faults.push(`${what} belongs to ${other} and to ${owner}`);
    else owners.set(identity, owner);
  };
  for (const { name, tokenHashes, commonNames, fingerprints } of principals) {
    claim(`the name ${name}`, name);
    for (const hash of tokenHashes) claim(`the token hash ${hash.slice(0, 12)}…`, name, hash);
    for (const commonName of commonNames) claim(`the common name ${shown(commonName)}`, name);
    for (const one of fingerprints)
      claim(`the fingerprint ${one.slice(0, 12)}…`, name, `fingerprint ${one}`);
  }
}

function listOf(value: unknown, at: string, faults: string[]): unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  faults.push(`${at} must be a list: found ${shown(value)}`);
  return [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const SHOWN_LENGTH_MAX = 80;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`;
}
