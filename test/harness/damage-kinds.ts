/**
 * All the ways in which the rigs damage a store, and what may come of each. A damage is a change of
 * a clone; what it may do besides being met, refused or harmless is said in `mayLose`.
 */
import { SHARD_DIR } from './crash-machine.js';
import { regionsOf, type WalFile, walFilesOf } from './damage-layout.js';
import type { StoreImage } from './damage-store.js';
import { SeededRandom } from './seeded-random.js';
import type { SimulatedDisk } from './simulated-disk.js';

export interface Damage {
  /** `zeroed sector`, `truncated`: for counting. */
  kind: string;
  /** Tells it from all others. */
  title: string;
  path: string;
  /** False where it leaves the store as it was. */
  apply(disk: SimulatedDisk): boolean;
  /**
   * Last groups that are lost and taken for never written, because nothing witnesses them: the
   * residual risks of docs/formats/wal.md. 0 = none, and nothing else is allowed.
   */
  loses: number;
}

const SECTOR_BYTES = 512;
/** Files of the same kind have the same ending. */
const KINDS = ['.sst', '.seg'];

/** What of a killed store nothing witnesses. */
export interface Unwitnessed {
  /** The newest segment, and how many groups are in it. */
  segment: string;
  groups: number;
  /** Its last frame without the padding. */
  start: number;
  end: number;
}

/** Undefined where the store ended with a witness: then nothing may be lost at all. */
export function unwitnessedOf(image: StoreImage): Unwitnessed | undefined {
  if (image.ending === 'closed') return undefined;
  const newest: WalFile | undefined = walFilesOf(image.disk).at(-1);
  const last = newest?.frames.at(-1);
  if (newest === undefined || last === undefined) throw new Error('The store has no log');
  const groups = image.ending === 'sealed' ? newest.frames.length - 1 : newest.frames.length;
  return { segment: newest.path, groups, start: last.start, end: last.end };
}

/** Whether damage to this byte alone loses the last group. */
export function isUnwitnessed(image: StoreImage, path: string, at: number): boolean {
  const last = unwitnessedOf(image);
  if (last === undefined || image.ending === 'sealed') return false;
  return path === last.segment && at >= last.start && at < last.end;
}

/** Every file cut to each of these lengths. */
export function* truncations(
  image: StoreImage,
  lengthsOf: (path: string, size: number) => Iterable<number>,
): Generator<Damage> {
  const last = unwitnessedOf(image);
  for (const path of image.paths) {
    const content = image.disk.contentOf(path);
    for (const length of lengthsOf(path, content.length)) {
      // A segment without a header is one that was never begun.
      const isLost = path === last?.segment && length < SECTOR_BYTES;
      yield {
        kind: 'truncated',
        title: `${path} cut to ${length}`,
        path,
        apply: (disk) => replace(disk, path, content.slice(0, length)),
        loses: isLost ? last.groups : 0,
      };
    }
  }
}

/** Every sector of every file zeroed, or filled with garbage. */
export function* sectors(image: StoreImage, seed: number): Generator<Damage> {
  const random = new SeededRandom(seed);
  const last = unwitnessedOf(image);
  for (const path of image.paths) {
    const content = image.disk.contentOf(path);
    for (let start = 0; start < content.length; start += SECTOR_BYTES) {
      const end = Math.min(start + SECTOR_BYTES, content.length);
      for (const kind of ['zeroed sector', 'garbage sector']) {
        const damaged = content.slice();
        if (kind === 'zeroed sector') damaged.fill(0, start, end);
        else random.fill(damaged.subarray(start, end));
        const isLast = path === last?.segment && start < last.end && end > last.start;
        yield {
          kind,
          title: `${path} ${kind} at ${start}`,
          path,
          apply: (disk) => replace(disk, path, damaged),
          loses: isLast && image.ending === 'killed' ? 1 : 0,
        };
      }
    }
  }
}

/** Files of one kind in each other's place, missing, doubled, and from earlier moments. */
export function* filesAstray(image: StoreImage): Generator<Damage> {
  yield* missing(image);
  yield* swapped(image);
  yield* doubled(image);
  yield* stale(image);
}

function* missing(image: StoreImage): Generator<Damage> {
  const last = unwitnessedOf(image);
  for (const path of image.paths) {
    const apply = (disk: SimulatedDisk): boolean => {
      disk.remove(path);
      return true;
    };
    const loses = path === last?.segment ? last.groups : 0;
    yield { kind: 'missing', title: `${path} missing`, path, apply, loses };
  }
}

function* swapped(image: StoreImage): Generator<Damage> {
  const last = unwitnessedOf(image);
  const live = walFilesOf(image.disk).map(({ path }) => path);
  for (const ending of KINDS) {
    const paths = image.paths.filter((path) => path.endsWith(ending));
    for (const [i, a] of paths.entries()) {
      for (const b of paths.slice(i + 1)) {
        const [contentA, contentB] = [image.disk.contentOf(a), image.disk.contentOf(b)];
        const apply = (disk: SimulatedDisk): boolean =>
          replace(disk, a, contentB) && replace(disk, b, contentA);
        yield { kind: 'swapped', title: `${a} and ${b} swapped`, path: a, apply, loses: 0 };
      }
      for (const b of paths.filter((path) => path !== a)) {
        const content = image.disk.contentOf(b);
        const apply = (disk: SimulatedDisk): boolean => replace(disk, a, content);
        // By a spare: then it is as if the newest segment were missing.
        const loses = a === last?.segment && !live.includes(b) ? last.groups : 0;
        yield { kind: 'overwritten', title: `${a} holds what ${b} does`, path: a, apply, loses };
      }
    }
  }
}

/** Under a name that could be one of the store's own. */
function* doubled(image: StoreImage): Generator<Damage> {
  for (const path of image.paths) {
    const content = image.disk.contentOf(path);
    for (const copy of namesBeside(path)) {
      const apply = (disk: SimulatedDisk): boolean => {
        if (disk.stat(copy) !== undefined) return false;
        write(disk, copy, content);
        return true;
      };
      yield { kind: 'doubled', title: `${path} also as ${copy}`, path, apply, loses: 0 };
    }
  }
}

function namesBeside(path: string): string[] {
  const number = /-(\d{6})\.\w+$/.exec(path)?.[1];
  if (number === undefined) return [`${path}.tmp`, `${path}.bak`];
  return [1, Number(number) - 1, Number(number) + 1, 999_999].map((other) =>
    path.replace(number, String(other).padStart(6, '0')),
  );
}

/** Each file as it once was, alone; and CURRENT with the manifest that it named. */
function* stale(image: StoreImage): Generator<Damage> {
  const last = unwitnessedOf(image);
  const seen = new Set<string>();
  for (const [moment, files] of image.moments.entries()) {
    for (const [path, content] of files) {
      const key = `${path}:${Buffer.from(content).toString('latin1')}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const loses = path === last?.segment ? last.groups : 0;
      const title = `${path} as at moment ${moment}`;
      const apply = (disk: SimulatedDisk): boolean => putBack(disk, path, content);
      yield { kind: 'stale file', title, path, apply, loses };
    }
    const pair = [...files].filter(([path]) => /\/(CURRENT|manifest-\d+\.log)$/.test(path));
    const apply = (disk: SimulatedDisk): boolean => {
      const changes = pair.map(([path, content]) => putBack(disk, path, content));
      return changes.includes(true);
    };
    const title = `CURRENT and its manifest as at moment ${moment}`;
    yield { kind: 'stale manifest', title, path: `${SHARD_DIR}/CURRENT`, apply, loses: 0 };
  }
}

/** The path of each region and how many bits it has: what a sweep of all flips goes through. */
export function flippableBits(image: StoreImage): { path: string; firstBit: number }[] {
  let firstBit = 0;
  return image.paths.map((path) => {
    const file = { path, firstBit };
    firstBit += image.disk.contentOf(path).length * 8;
    return file;
  });
}

/** One bit of a file turned over; the byte's region for counting. */
export function flip(disk: SimulatedDisk, path: string, at: number, bit: number): void {
  const handle = disk.open(path, 'update');
  const byte = new Uint8Array(1);
  handle.readAt(byte, 0, 1, at);
  byte[0]! ^= 1 << bit;
  handle.writeAt(byte, 0, 1, at);
  handle.close();
}

/** For each byte of the file the name of its region. */
export function regionNames(disk: SimulatedDisk, path: string): string[] {
  return regionsOf(disk, path).flatMap(({ start, end, name }) =>
    Array.from({ length: end - start }, () => name),
  );
}

function replace(disk: SimulatedDisk, path: string, content: Uint8Array): boolean {
  if (Buffer.compare(disk.contentOf(path), content) === 0) return false;
  disk.replaceContent(path, content);
  return true;
}

function putBack(disk: SimulatedDisk, path: string, content: Uint8Array): boolean {
  if (disk.stat(path) !== undefined) return replace(disk, path, content);
  write(disk, path, content);
  return true;
}

function write(disk: SimulatedDisk, path: string, content: Uint8Array): void {
  const handle = disk.open(path, 'create');
  handle.writeAt(content, 0, content.length, 0);
  handle.close();
}
