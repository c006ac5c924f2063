/**
 * What the supervisor asks of a shard on behalf of operators, over the control port. Rare; each
 * question is answered once, within a turn, unless the shard's life ends before.
 */
import type { ErrorCode } from '../base/errors.js';

export type ShardQuestion =
  /** Keeps what the shard consists of at the moment for so long, under this name, and says it. */
  | { kind: 'pin'; name: string; forMs: number }
  /** Keeps it for so long again. */
  | { kind: 'renew-pin'; name: string; forMs: number }
  | { kind: 'unpin'; name: string }
  /** Starts a pass of the scrub at full speed. */
  | { kind: 'scrub' }
  /** How it stands. */
  | { kind: 'scrub-status'; id: number };

/** To the question of the same kind. */
export type ShardAnswer =
  | { kind: 'pin'; pin: ShardPin }
  /** False: it had ended by itself, and what it kept may be gone. */
  | { kind: 'renew-pin'; isHeld: boolean }
  | { kind: 'unpin' }
  | { kind: 'scrub'; pass: ScrubPass }
  | { kind: 'scrub-status'; pass: ScrubPass }
  /** Any question may fail. */
  | { kind: 'failed'; code: ErrorCode; message: string };

export type AnswerTo<Q extends ShardQuestion> = Extract<ShardAnswer, { kind: Q['kind'] }>;

export interface ScrubPass {
  id: number;
  isDone: boolean;
  doneBytes: number;
  totalBytes: number;
  /** Files and what is wrong with them. */
  damage: string[];
}

/** A shard at one moment: everything through `sequence`, which is durable. */
export interface ShardPin {
  /** The snapshot edit of its manifest, encoded (storage/manifest-format.ts). */
  state: Uint8Array;
  sequence: number;
  takenAtMs: number;
  /** Wall time; no write in tables was committed later. */
  tablesAtMs: number;
  /** The log that is not altogether in tables, oldest first; see LogSegment. */
  segments: {
    name: string;
    number: number;
    /** Undefined: to its end. */
    endOffset: number | undefined;
    lastSequence: number;
  }[];
}
