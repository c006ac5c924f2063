/** Answers what the supervisor asks of a shard (rpc/shard-operations.ts). On the shard's thread. */
import { basename } from 'node:path';
import { unreachable } from '../base/assert.js';
import { messageOf, StormError } from '../base/errors.js';
import type { EngineOptions } from '../rpc/control.js';
import type { ShardAnswer, ShardPin, ShardQuestion } from '../rpc/shard-operations.js';
import { encodeEdit, MANIFEST_VERSION } from '../storage/manifest-format.js';
import { type ManifestState, snapshotEdit, tablesOf } from '../storage/manifest-state.js';
import type { WriteAheadLog } from '../storage/write-ahead-log.js';
import { ChangeLog } from './change-log.js';
import type { EngineEnv } from './engine-env.js';
import type { Scrubber } from './scrubber.js';
import type { TablePins } from './table-pins.js';
import type { WalHolds } from './wal-holds.js';

/** What the desk needs of the shard's housekeeping. */
export interface DeskHost {
  readonly state: ManifestState;
  readonly tablesAtMs: number;
  readonly holds: WalHolds;
  readonly pins: TablePins;
  readonly scrubber: Scrubber;
}

export class ShardDesk {
  /** For feeds. */
  readonly changes: ChangeLog;
  readonly #env: EngineEnv;
  readonly #options: EngineOptions;
  readonly #wal: WriteAheadLog;
  readonly #host: DeskHost;

  constructor(env: EngineEnv, options: EngineOptions, wal: WriteAheadLog, host: DeskHost) {
    this.#env = env;
    this.#options = options;
    this.#wal = wal;
    this.#host = host;
    this.changes = new ChangeLog(env, wal, host.holds, options.feedHoldBytesMax);
  }

  /** Never throws: what goes wrong is an answer too. */
  answer(question: ShardQuestion): ShardAnswer {
    try {
      return this.#answer(question);
    } catch (error) {
      const code = error instanceof StormError ? error.code : 'INTERNAL';
      return { kind: 'failed', code, message: messageOf(error) };
    }
  }

  #answer(question: ShardQuestion): ShardAnswer {
    const { pins, holds } = this.#host;
    switch (question.kind) {
      case 'pin':
        return { kind: 'pin', pin: this.#pin(question.name, question.forMs) };
      case 'renew-pin': {
        const isHeld = pins.renew(question.name, this.#until(question.forMs));
        return { kind: 'renew-pin', isHeld };
      }
      case 'unpin':
        pins.unpin(question.name);
        holds.release(question.name);
        return { kind: 'unpin' };
      case 'scrub':
        return { kind: 'scrub', pass: this.#host.scrubber.startPass() };
      case 'scrub-status': {
        const pass = this.#host.scrubber.status(question.id);
        if (pass !== undefined) return { kind: 'scrub-status', pass };
        throw new StormError('NOT_FOUND', `The shard knows of no pass ${question.id}`);
      }
      default:
        return unreachable(question, 'question to a shard');
    }
  }

  #pin(name: string, forMs: number): ShardPin {
    const { state, tablesAtMs, pins, holds } = this.#host;
    if (state.damaged !== undefined) throw damagedError(state.damaged);
    const { shard, storeUuid, walLiveBytesMax, walSegmentBytes } = this.#options;
    const untilMs = this.#until(forMs);
    const segments = this.#wal.segmentsFrom(0).filter(({ number }) => number >= state.minSegment);
    const fromSequence = segments[0]?.firstSequence ?? 1;
    holds.release(name);
    // They are live at the moment, so they are not more than that, give or take a segment.
    const bytesMax = 2 * (walLiveBytesMax + walSegmentBytes);
    holds.hold(name, { fromSequence, bytesMax, untilMs });
    pins.pin(
      name,
      tablesOf(state).map(({ number }) => number),
      untilMs,
    );
    return {
      state: encodeEdit(snapshotEdit(state, { shard, storeUuid, version: MANIFEST_VERSION })),
      sequence: Math.max(this.#wal.syncedThrough, state.flushedSequence),
      takenAtMs: this.#env.clock.wallMs(),
      tablesAtMs,
      segments: segments.map(({ path, number, syncedOffset, lastSequence }) => {
        return { name: basename(path), number, endOffset: syncedOffset, lastSequence };
      }),
    };
  }

  #until(forMs: number): number {
    return this.#env.clock.monotonicMs() + forMs;
  }
}

function damagedError(tables: readonly number[]): StormError {
  const what = `${tables.length} tables are damaged and out of service (${tables.join(', ')})`;
  const next = 'there is no whole store to back up: restore an earlier backup, or salvage';
  return new StormError('DATA_CORRUPTION', `${what}; ${next}`);
}
