/** What can be done to the simulated disk, and what can go wrong with it. */
import type { OpenMode } from '../../src/storage/file-system.js';
import { systemError } from './system-error.js';

/** Each operation, and whether it changes what a power loss may leave behind. */
export const CHANGES_DISK = {
  open: true,
  list: false,
  stat: false,
  makeDir: true,
  rename: true,
  link: true,
  remove: true,
  syncDir: true,
  space: false,
  read: false,
  write: true,
  size: false,
  truncate: true,
  sync: true,
  map: false,
} as const;
export type OperationKind = keyof typeof CHANGES_DISK;

export interface Operation {
  kind: OperationKind;
  path: string;
  /** rename and link: the new path. */
  to?: string;
  /** open. */
  mode?: OpenMode;
  /** read and write. */
  position?: number;
  length?: number;
}

export interface Fault {
  kind: OperationKind;
  /** A system error code, or SHORT: half of the bytes are read, or written before an EIO. */
  code: string;
  /** Fails the n-th matching operation from now on, counted from 1. */
  nth?: number;
  /** Fails all later ones too. */
  sticky?: boolean;
  /** Only operations whose path contains this. */
  path?: string;
}

/** Thrown where the test stopped the world, and by every call until the disk is up again. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';
  constructor(message = 'The simulated machine is down') {
    super(message);
  }
}

/** The faults a test has ordered and that are still due. */
export class FaultPlan {
  #faults: Required<Fault>[] = [];

  add(fault: Fault): void {
    this.#faults.push({ nth: 1, sticky: false, path: '', ...fault });
  }

  clear(): void {
    this.#faults = [];
  }

  /** Throws where a fault is due for this operation. */
  raise(operation: Operation): void {
    for (const fault of this.#faults) {
      if (fault.kind !== operation.kind || !operation.path.includes(fault.path)) continue;
      fault.nth--;
      if (fault.nth > 0) continue;
      if (!fault.sticky) this.#faults.splice(this.#faults.indexOf(fault), 1);
      throw systemError(fault.code, operation.kind, operation.path);
    }
  }
}

const ZERO_COUNTS = Object.fromEntries(
  Object.keys(CHANGES_DISK).map((kind) => [kind, 0]),
) as Record<OperationKind, number>;

export function zeroCounts(): Record<OperationKind, number> {
  return { ...ZERO_COUNTS };
}
