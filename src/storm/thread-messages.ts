/** What travels between the storm's main thread and its load threads. */
import type { ErrorCode } from '../base/errors.js';
import type { ArrivalCurve } from './arrival-curve.js';
import type { IntervalReport, RunHistograms } from './meter.js';
import type { DoorOptions } from './storm-door.js';
import type { Verification } from './verify.js';
import type { Share } from './workload.js';

/** What a load thread is started with. */
export interface ThreadSetting {
  readonly share: Share;
  readonly door: DoorOptions;
  /** Undefined = closed loop. */
  readonly curve: ArrivalCurve | undefined;
  /** Of this thread. */
  readonly callers: number;
  readonly durationMs: number;
  readonly warmUpMs: number;
  readonly patienceMs: number;
}

export type ToThread =
  | { kind: 'start' }
  /** Begin no more. */
  | { kind: 'stop' }
  /** Read back every `step`th key. */
  | { kind: 'verify'; step: number };

export type FromThread =
  | { kind: 'ready' }
  | { kind: 'interval'; report: IntervalReport }
  /** All is settled. */
  | { kind: 'done'; totals: RunHistograms; checkCount: number }
  | { kind: 'read-back'; keys: number }
  | { kind: 'verified'; verification: Verification }
  | { kind: 'failed'; code: ErrorCode; message: string };
