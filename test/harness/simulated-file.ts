/**
 * One file of the simulated disk: what programs see now, what surely survives a power loss, and the
 * writes between the two. Pages are shared copy-on-write between both states and between clones.
 *
 * A power loss decides 512-byte sectors one by one, because that is all a disk promises, and the
 * size apart from the data, because file systems journal it apart.
 */
import type { SeededRandom } from './seeded-random.js';
import { type Digest, digestOf } from './state-digest.js';

export const PAGE_BYTES = 4096;
export const SECTOR_BYTES = 512;

/**
 * `synced-only`: nothing unsynced survives. `all`: everything does. `prefix`: what happened before
 * some moment does, the write at that moment in part. `subset`: each unsynced sector, size and name
 * on its own. `all-but-one`: one change is lost. `last-only`: of each file and of the names only
 * the last change survives. `names`, `sizes`, `data`: all names survive; names and sizes, and the
 * space is zeros; all data and sizes, and no name.
 */
export const CRASH_MODES = [
  'synced-only',
  'all',
  'prefix',
  'subset',
  'all-but-one',
  'last-only',
  'names',
  'sizes',
  'data',
] as const;
export type CrashMode = (typeof CRASH_MODES)[number];

export interface CrashPlan {
  mode: CrashMode;
  random: SeededRandom;
  /** Mode `prefix`: changes of this moment and before survive. Mode `all-but-one`: this is lost. */
  lastMoment: number;
  /** A torn sector damages only the bytes being written, not the rest of the sector. */
  powerSafeOverwrite: boolean;
}

class Page {
  readonly bytes: Uint8Array;
  /** Referenced from more than one place: copy before writing. */
  shared = false;
  #digest: Digest | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get digest(): Digest {
    this.#digest ??= digestOf(this.bytes);
    return this.#digest;
  }

  /** The bytes are about to change. */
  forgetDigest(): void {
    this.#digest = undefined;
  }
}

type Change =
  | { kind: 'write'; moment: number; position: number; bytes: Uint8Array }
  | { kind: 'cut'; moment: number; size: number };

interface SizeChange {
  moment: number;
  size: number;
}

type Pages = (Page | undefined)[];
const EMPTY_PAGE = digestOf(new Uint8Array(PAGE_BYTES));

export class SimulatedFile {
  /** Names in the namespace that programs see, and handles: at none the space is free again. */
  links = 0;
  opens = 0;
  #size = 0;
  #pages: Pages = [];
  #pageCount = 0;
  #durableSize = 0;
  #durable: Pages = [];
  #changes: Change[] = [];
  #sizeChanges: SizeChange[] = [];

  get size(): number {
    return this.#size;
  }

  /** Whether a power loss has anything to decide. */
  get hasUnsynced(): boolean {
    return this.#changes.length > 0 || this.#sizeChanges.length > 0;
  }

  /** Adds what programs see, and what a power loss would leave where that differs. */
  digestInto(into: Digest): void {
    into.add(this.#size);
    for (const page of this.#pages) into.addDigest(page?.digest ?? EMPTY_PAGE);
    if (!this.hasUnsynced) return;
    into.add(this.#durableSize);
    for (const page of this.#durable) into.addDigest(page?.digest ?? EMPTY_PAGE);
    into.add(this.#changes.length);
  }

  get allocatedBytes(): number {
    return this.#pageCount * PAGE_BYTES;
  }

  /** Allocated bytes that writing the range would add. */
  growthOf(position: number, length: number): number {
    let pages = 0;
    const last = lastPageOf(position, length);
    for (let p = Math.floor(position / PAGE_BYTES); p <= last; p++) {
      if (this.#pages[p] === undefined) pages++;
    }
    return pages * PAGE_BYTES;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.#size - position));
    for (let done = 0; done < count; ) {
      const at = position + done;
      const inPage = at % PAGE_BYTES;
      const piece = Math.min(count - done, PAGE_BYTES - inPage);
      const page = this.#pages[Math.floor(at / PAGE_BYTES)];
      const start = offset + done;
      if (page === undefined) target.fill(0, start, start + piece);
      else target.set(page.bytes.subarray(inPage, inPage + piece), start);
      done += piece;
    }
    return count;
  }

  /** Keeps a copy of `bytes`. */
  write(bytes: Uint8Array, position: number, moment: number): void {
    const copy = bytes.slice();
    this.#pageCount += place(this.#pages, copy, position);
    this.#changes.push({ kind: 'write', moment, position, bytes: copy });
    const end = position + copy.length;
    if (end > this.#size) this.#setSize(end, moment);
  }

  truncate(size: number, moment: number): void {
    if (size < this.#size) {
      this.#pageCount -= cut(this.#pages, size);
      this.#changes.push({ kind: 'cut', moment, size });
    }
    if (size !== this.#size) this.#setSize(size, moment);
  }

  #setSize(size: number, moment: number): void {
    this.#size = size;
    this.#sizeChanges.push({ moment, size });
  }

  /** fdatasync that tells the truth: all changes are durable from now on. */
  sync(): void {
    for (const change of this.#changes) {
      if (change.kind === 'cut') {
        cut(this.#durable, change.size);
        continue;
      }
      const last = lastPageOf(change.position, change.bytes.length);
      for (let p = Math.floor(change.position / PAGE_BYTES); p <= last; p++) {
        const page = this.#pages[p];
        if (page !== undefined) page.shared = true;
        setPage(this.#durable, p, page);
      }
    }
    this.#changes = [];
    this.#sizeChanges = [];
    this.#durableSize = this.#size;
  }

  /**
   * fdatasync that failed, as Linux does it: the pages count as clean, so programs still read them,
   * the next sync does not write them, and the power loss drops them. The size is journalled apart.
   */
  loseUnsynced(): void {
    this.#changes = [];
  }

  /** The moments at which something unsynced happened. */
  collectMoments(into: number[]): void {
    for (const change of this.#changes) into.push(change.moment);
    for (const change of this.#sizeChanges) into.push(change.moment);
  }

  /** Puts the file into one legal state after a power loss, which is durable then. */
  settle(plan: CrashPlan): void {
    if (this.hasUnsynced) this.#settleUnsynced(plan);
    cut(this.#durable, this.#durableSize);
    this.#changes = [];
    this.#sizeChanges = [];
    this.#size = this.#durableSize;
    this.#pages = share(this.#durable);
    this.#pageCount = countPages(this.#pages);
    this.opens = 0;
  }

  #settleUnsynced(plan: CrashPlan): void {
    switch (plan.mode) {
      case 'all':
      case 'data':
        this.#settleWhere(() => true);
        break;
      case 'prefix':
        this.#settlePrefix(plan);
        break;
      case 'subset':
        this.#settleSubset(plan);
        break;
      case 'all-but-one':
        this.#settleWhere(({ moment }) => moment !== plan.lastMoment);
        break;
      case 'last-only': {
        const last = Math.max(...this.#momentsHere());
        this.#settleWhere(({ moment }) => moment === last);
        break;
      }
      case 'sizes':
        this.#durableSize = this.#size;
        break;
      default:
    }
  }

  #momentsHere(): number[] {
    const moments: number[] = [];
    this.collectMoments(moments);
    return moments;
  }

  #settleWhere(survives: (change: { moment: number }) => boolean): void {
    for (const change of this.#changes) if (survives(change)) applyWhole(this.#durable, change);
    for (const change of this.#sizeChanges) {
      if (survives(change)) this.#durableSize = change.size;
    }
  }

  #settlePrefix(plan: CrashPlan): void {
    let partial = plan.random.chance(0.5);
    let partialEnd = 0;
    for (const change of this.#changes) {
      if (change.moment <= plan.lastMoment) applyWhole(this.#durable, change);
      else if (partial && change.kind === 'write') {
        const sectors = plan.random.nextInt(Math.ceil(change.bytes.length / SECTOR_BYTES) + 1);
        const piece = change.bytes.subarray(0, sectors * SECTOR_BYTES);
        place(this.#durable, piece, change.position);
        partialEnd = change.position + piece.length;
        partial = false;
      }
    }
    for (const change of this.#sizeChanges) {
      if (change.moment <= plan.lastMoment) this.#durableSize = change.size;
    }
    this.#durableSize = Math.max(this.#durableSize, partialEnd);
  }

  #settleSubset(plan: CrashPlan): void {
    const { random } = plan;
    const newChance = random.pick([0.1, 0.5, 0.9]);
    for (const change of this.#changes) {
      // Whole writes that live or die reach "the later one survives" sooner than single sectors.
      const fate = random.nextInt(4);
      if (fate === 0) continue;
      if (fate === 1 || change.kind === 'cut') applyWhole(this.#durable, change);
      else tear(this.#durable, change.position, change.bytes, newChance, plan);
    }
    if (this.#sizeChanges.length === 0) return;
    const sizes = [this.#durableSize, ...this.#sizeChanges.map((change) => change.size)];
    this.#durableSize = random.chance(0.5) ? this.#size : random.pick(sizes);
  }

  /** A copy that shares pages; nobody has it open. */
  clone(): SimulatedFile {
    const copy = new SimulatedFile();
    copy.links = this.links;
    copy.#size = this.#size;
    copy.#pages = share(this.#pages);
    copy.#pageCount = this.#pageCount;
    copy.#durableSize = this.#durableSize;
    copy.#durable = share(this.#durable);
    copy.#changes = this.#changes.slice();
    copy.#sizeChanges = this.#sizeChanges.slice();
    return copy;
  }
}

function lastPageOf(position: number, length: number): number {
  return Math.floor((position + length - 1) / PAGE_BYTES);
}

/** Sets a page behind the end without leaving holes in the array, which would slow it down. */
function setPage(pages: Pages, index: number, page: Page | undefined): void {
  while (pages.length < index) pages.push(undefined);
  pages[index] = page;
}

function share(pages: Pages): Pages {
  for (const page of pages) if (page !== undefined) page.shared = true;
  return pages.slice();
}

function countPages(pages: Pages): number {
  let count = 0;
  for (const page of pages) if (page !== undefined) count++;
  return count;
}

function writablePage(pages: Pages, index: number): Uint8Array {
  const page = pages[index];
  if (page !== undefined && !page.shared) {
    page.forgetDigest();
    return page.bytes;
  }
  const bytes = page === undefined ? new Uint8Array(PAGE_BYTES) : page.bytes.slice();
  setPage(pages, index, new Page(bytes));
  return bytes;
}

/** Copies bytes into pages; returns how many pages that added. */
function place(pages: Pages, bytes: Uint8Array, position: number): number {
  let added = 0;
  for (let done = 0; done < bytes.length; ) {
    const at = position + done;
    const index = Math.floor(at / PAGE_BYTES);
    const inPage = at % PAGE_BYTES;
    const piece = Math.min(bytes.length - done, PAGE_BYTES - inPage);
    if (pages[index] === undefined) added++;
    writablePage(pages, index).set(bytes.subarray(done, done + piece), inPage);
    done += piece;
  }
  return added;
}

/** Drops all from `size` on, so that a later extension reads zeros; returns pages dropped. */
function cut(pages: Pages, size: number): number {
  const keep = Math.ceil(size / PAGE_BYTES);
  let dropped = 0;
  while (pages.length > keep) if (pages.pop() !== undefined) dropped++;
  const inPage = size % PAGE_BYTES;
  if (inPage > 0 && pages[keep - 1] !== undefined) writablePage(pages, keep - 1).fill(0, inPage);
  return dropped;
}

function applyWhole(pages: Pages, change: Change): void {
  if (change.kind === 'cut') cut(pages, change.size);
  else place(pages, change.bytes, change.position);
}

/** Each sector written becomes new, old, zero, garbage, or new up to some byte and then old. */
function tear(
  pages: Pages,
  position: number,
  bytes: Uint8Array,
  newChance: number,
  plan: CrashPlan,
): void {
  const { random } = plan;
  const end = position + bytes.length;
  for (let at = position; at < end; ) {
    const sector = at - (at % SECTOR_BYTES);
    const next = Math.min(end, sector + SECTOR_BYTES);
    const piece = bytes.subarray(at - position, next - position);
    if (random.chance(newChance)) place(pages, piece, at);
    else {
      const fate = random.nextInt(6);
      if (fate === 0) place(pages, piece.subarray(0, random.nextInt(piece.length)), at);
      else if (fate < 3) {
        const hurt = plan.powerSafeOverwrite ? piece.length : SECTOR_BYTES;
        const damage = new Uint8Array(hurt);
        if (fate === 1) random.fill(damage);
        place(pages, damage, plan.powerSafeOverwrite ? at : sector);
      }
    }
    at = next;
  }
}
