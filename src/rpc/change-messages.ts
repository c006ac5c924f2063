/**
 * The request for a page of changes (docs/formats/messages.md), a frame like GET's whose payload is
 * [from, name or nil, prefix or nil, bytesMax] in msgpack. It is answered by a PAGE whose id is the
 * sequence number to go on from; an item without a value is a delete.
 */
import { malformed } from './message-bytes.js';
import { decodeMessage, encodeMessage } from './message-codec.js';

export const MESSAGE_CHANGES = 9;

export interface ChangesParameters {
  /** The first sequence number wanted; 0 = what is still to come. */
  from: number;
  /** Under which the log is held. */
  name: string | undefined;
  /** Of the keys wanted. */
  prefix: Uint8Array | undefined;
  bytesMax: number;
}

export function encodeChanges({ from, name, prefix, bytesMax }: ChangesParameters): Uint8Array {
  return encodeMessage([from, name ?? null, prefix ?? null, bytesMax]);
}

/** Throws INTERNAL. */
export function decodeChanges(payload: Uint8Array): ChangesParameters {
  const fields = decodeMessage(payload, 0, payload.length);
  const fault = () => malformed('request', MESSAGE_CHANGES, payload.length);
  if (!Array.isArray(fields) || fields.length !== 4) throw fault();
  const [from, name, prefix, bytesMax] = fields as unknown[];
  if (!isCount(from) || !isCount(bytesMax) || bytesMax < 1) throw fault();
  if (name !== null && typeof name !== 'string') throw fault();
  if (prefix !== null && !(prefix instanceof Uint8Array)) throw fault();
  return { from, name: name ?? undefined, prefix: prefix ?? undefined, bytesMax };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
