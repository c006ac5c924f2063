/**
 * Audit lines of one router: acts go at once; refusals that are alike (same door, peer, principal,
 * operation and reason) are counted and told once per `foldMs`, so that whoever is refused a
 * million times cannot fill a disk. Bounded: more kinds at a time than `kindsMax` are told as one.
 */
import type { Audit, AuditRecord } from '../rpc/audit.js';

export interface AuditTrailOptions {
  write: Audit;
  /** Runs the task after so long. */
  after: (ms: number, task: () => void) => void;
  foldMs?: number;
  kindsMax?: number;
}

const FOLD_MS = 10_000;
const KINDS_MAX = 256;
const OTHERS = 'others';

export class AuditTrail {
  readonly #write: Audit;
  readonly #after: AuditTrailOptions['after'];
  readonly #foldMs: number;
  readonly #kindsMax: number;
  /** What has come since a kind was last told. */
  readonly #folded = new Map<string, { record: AuditRecord; count: number }>();

  constructor({ write, after, foldMs = FOLD_MS, kindsMax = KINDS_MAX }: AuditTrailOptions) {
    this.#write = write;
    this.#after = after;
    this.#foldMs = foldMs;
    this.#kindsMax = kindsMax;
  }

  /** Told at once, each. */
  act(record: AuditRecord): void {
    this.#write(record);
  }

  /** Told at once if it is the first of its kind for a while, else counted. */
  refusal(record: AuditRecord): void {
    const { event, door, peer, principal, operation, reason } = record;
    const kind = [event, door, peer, principal, operation, reason].join('\n');
    const known = this.#folded.get(kind) ?? this.#folded.get(OTHERS);
    if (this.#folded.has(kind) || (known !== undefined && this.#isFull)) {
      if (known !== undefined) known.count++;
      return;
    }
    if (this.#isFull) {
      const others: AuditRecord = { event, reason: 'many-kinds-of-refusals' };
      this.#folded.set(OTHERS, { record: others, count: 1 });
      this.#scheduleTelling(OTHERS);
      return;
    }
    this.#write(record);
    this.#folded.set(kind, { record, count: 0 });
    this.#scheduleTelling(kind);
  }

  /** Tells what is still folded. */
  close(): void {
    for (const kind of [...this.#folded.keys()]) this.#tell(kind);
  }

  get #isFull(): boolean {
    return this.#folded.size >= this.#kindsMax;
  }

  #scheduleTelling(kind: string): void {
    this.#after(this.#foldMs, () => this.#tell(kind));
  }

  #tell(kind: string): void {
    const folded = this.#folded.get(kind);
    if (folded === undefined) return;
    this.#folded.delete(kind);
    if (folded.count > 0) this.#write({ ...folded.record, count: folded.count });
  }
}
