/**
 * The damage sweep: a small store of the real engine (test/harness/damage-store.ts) with one bit
 * flipped, cut to any length, with a sector of zeros or garbage, with files missing, swapped,
 * doubled or from an earlier moment. Opened and read whole it must give the right answer, name the
 * damage (file and offset) or refuse: never a wrong or a missing value. What nothing witnesses (see
 * docs/formats/wal.md, "Residual risks") is listed byte by byte, and nothing else may be lost.
 * `stormkv check` must find what the engine meets.
 *
 * RIG_DAMAGE_FLIPS: flips sampled, besides one in every byte of headers and footers.
 * RIG_DAMAGE_FROM, RIG_DAMAGE_TO: instead of a sample every bit of this range, so that a long run
 * can be done in parts; the summary says of how many. Files are then left alone, unless
 * RIG_DAMAGE_LENGTHS=all, which cuts them to every length. RIG_DAMAGE_SEED: draws other samples.
 * RIG_DAMAGE_ENDING: how the store ended that gets the flips: killed, sealed or closed.
 */
import * as assert from 'uvu/assert';
import type { Finding } from '../../src/storage/check-finding.js';
import { DamageJudge, type Verdict } from '../harness/damage-judge.js';
import {
  type Damage,
  filesAstray,
  flip,
  flippableBits,
  isUnwitnessed,
  regionNames,
  sectors,
  truncations,
} from '../harness/damage-kinds.js';
import { HEADS_AND_FEET, walFilesOf } from '../harness/damage-layout.js';
import { type Ending, makeStore, type StoreImage } from '../harness/damage-store.js';
import { SeededRandom } from '../harness/seeded-random.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Damage');
const FLIPS = Number(process.env['RIG_DAMAGE_FLIPS'] ?? 50_000);
const FROM = Number(process.env['RIG_DAMAGE_FROM'] ?? 0);
const TO = Number(process.env['RIG_DAMAGE_TO'] ?? 0);
const ALL_LENGTHS = process.env['RIG_DAMAGE_LENGTHS'] === 'all';
const SEED = Number(process.env['RIG_DAMAGE_SEED'] ?? 1);
const ENDING = (process.env['RIG_DAMAGE_ENDING'] ?? 'killed') as Ending;
/** About 64 KiB: a few bytes more with the last edit of an orderly close. */
const STORE_BYTES_MAX = 65 * 1024;
const FAULTS_SHOWN_MAX = 10;
/** Of each file in CI: all lengths up to this, then some. */
const LENGTHS_FIRST = 72;
const LENGTHS_SAMPLED = 40;
const DEADLINE_MS = 3_600_000;

// Most of what is made here are errors: their stacks cost as much as the rest.
Error.stackTraceLimit = 2;

interface Tally {
  damages: number;
  right: number;
  corruption: number;
  refused: number;
  /** The last group is gone, as it may be for exactly these damages. */
  unwitnessed: number;
  /** Met by the engine, and found by `check` in the same file with an offset. */
  found: number;
}

interface Outcome {
  verdict: Verdict;
  findings: readonly Finding[];
}

const newTally = (): Tally => ({
  ...{ damages: 0, right: 0, corruption: 0, refused: 0, unwitnessed: 0, found: 0 },
});

/** Goes through damages of one image and counts what comes of them. */
class Sweep {
  readonly tallies = new Map<string, Tally>();
  readonly faults: string[] = [];
  readonly image: StoreImage;
  readonly #judge: DamageJudge;

  constructor(image: StoreImage) {
    this.image = image;
    this.#judge = new DamageJudge(image);
  }

  flip(path: string, at: number, bit: number, region: string): void {
    const disk = this.image.disk.clone();
    flip(disk, path, at, bit);
    const loses = isUnwitnessed(this.image, path, at) ? 1 : 0;
    const title = `${path} at ${at}, bit ${bit} (${region})`;
    const { verdict, findings } = this.#try(disk, region, title, path, loses);
    if (verdict.kind !== 'older') {
      if (loses > 0) this.#fault(title, 'the last group is there, though its frame is damaged');
    } else if (findings.length === 0) this.#fault(title, 'check does not notice the last frame');
  }

  damage({ kind, title, path, apply, loses }: Damage): void {
    const disk = this.image.disk.clone();
    if (apply(disk)) this.#try(disk, kind, title, path, loses);
  }

  #try(disk: SimulatedDisk, name: string, title: string, path: string, loses: number): Outcome {
    const findings = this.#judge.check(disk);
    const verdict = this.#judge.judge(disk);
    const tally = this.tallies.get(name) ?? newTally();
    this.tallies.set(name, tally);
    tally.damages++;
    if (isFoundIn(findings, path)) tally.found++;
    const fault = this.#count(verdict, tally, loses);
    if (fault !== undefined) this.#fault(title, fault);
    const isMet = verdict.kind === 'corruption' || verdict.kind === 'refused';
    if (isMet && !findings.some(isDamage)) {
      this.#fault(title, `check finds nothing, the engine: ${JSON.stringify(verdict)}`);
    }
    return { verdict, findings };
  }

  #fault(title: string, what: string): void {
    this.faults.push(`${this.image.ending}: ${title}: ${what}`);
  }

  #count(verdict: Verdict, tally: Tally, loses: number): string | undefined {
    switch (verdict.kind) {
      case 'right':
      case 'corruption':
      case 'refused':
        tally[verdict.kind]++;
        return undefined;
      case 'older':
        tally.unwitnessed++;
        return verdict.groups <= loses ? undefined : `${verdict.groups} groups are lost`;
      default:
        return verdict.what;
    }
  }

  total(): Tally {
    const sum = newTally();
    for (const tally of this.tallies.values()) {
      for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += tally[key];
    }
    return sum;
  }
}

const isDamage = ({ severity }: Finding): boolean => severity === 'damage';

function isFoundIn(findings: readonly Finding[], path: string): boolean {
  return findings.some(({ file, offset }) => file === path && offset >= 0);
}

test('the store has everything in it that can be damaged, and is read right undamaged', () => {
  for (const image of images) {
    const { disk, paths, states } = image;
    const bytes = paths.reduce((sum, path) => sum + disk.contentOf(path).length, 0);
    assert.ok(bytes <= STORE_BYTES_MAX && bytes > STORE_BYTES_MAX / 2, `${bytes} bytes`);
    const regions = new Set(paths.flatMap((path) => regionNames(disk, path)));
    for (const name of REGIONS_NEEDED) assert.ok(regions.has(name), `no ${name}`);
    const segments = walFilesOf(disk);
    assert.ok(segments.length >= 2);
    assert.ok((states[0]?.size ?? 0) < image.keys.length, 'some keys are deleted or expired');
    const judge = new DamageJudge(image);
    assert.equal(judge.check(disk), []);
    assert.equal(judge.judge(disk.clone()), { kind: 'right' });
  }
});

const REGIONS_NEEDED = [
  ...HEADS_AND_FEET,
  'table block, raw',
  'table block, deflate',
  'table index',
  'table filter',
  'manifest payload',
  'wal payload',
  'wal spare',
];

test(
  'no flipped bit makes a value wrong or missing',
  () => {
    const begunMs = performance.now();
    const sweep = new Sweep(image);
    const files = flippableBits(image).map((file) => ({
      ...file,
      names: regionNames(image.disk, file.path),
    }));
    const last = files.at(-1);
    const bits = (last?.firstBit ?? 0) + (last?.names.length ?? 0) * 8;
    const flipBit = (n: number): void => {
      const file = files.findLast(({ firstBit }) => firstBit <= n);
      if (file === undefined) throw new Error(`There is no bit ${n}`);
      const at = (n - file.firstBit) >>> 3;
      sweep.flip(file.path, at, n & 7, file.names[at] ?? '');
    };
    const random = new SeededRandom(SEED);
    if (TO > FROM) for (let n = FROM; n < Math.min(TO, bits); n++) flipBit(n);
    else {
      for (const { firstBit, names } of files) {
        for (const [at, name] of names.entries()) {
          if (HEADS_AND_FEET.has(name)) flipBit(firstBit + at * 8 + random.nextInt(8));
        }
      }
      for (let i = 0; i < FLIPS; i++) flipBit(random.nextInt(bits));
    }
    report('flips', sweep, begunMs, { bits, from: FROM, to: TO > FROM ? Math.min(TO, bits) : 0 });
    mustFindAll(sweep);
  },
  DEADLINE_MS,
);

/** Flips in these regions change nothing that anybody reads: some are found, none need be. */
const WITHOUT_CONTENT = ['wal free space', 'wal spare', 'wal header padding'];

/** Every flip that could matter is found by `check`, in its file and with an offset. */
function mustFindAll({ tallies, faults }: Sweep): void {
  for (const [name, { damages, found }] of tallies) {
    if (WITHOUT_CONTENT.includes(name) || found === damages) continue;
    faults.push(`check finds ${found} of ${damages} flips: ${name}`);
  }
  assert.is(faults.slice(0, FAULTS_SHOWN_MAX).join('\n\n'), '');
}

test(
  'no file cut short, of zeros or garbage, gone, doubled, swapped or old does either',
  () => {
    const begunMs = performance.now();
    if (TO > FROM && !ALL_LENGTHS) return;
    const sweeps = images.map((one) => new Sweep(one));
    for (const sweep of sweeps) {
      for (const damage of truncations(sweep.image, lengthsOf)) sweep.damage(damage);
      for (const damage of sectors(sweep.image, SEED)) sweep.damage(damage);
      for (const damage of filesAstray(sweep.image)) sweep.damage(damage);
      report('files', sweep, begunMs, {});
    }
    const faults = sweeps.flatMap((sweep) => sweep.faults);
    assert.is(faults.slice(0, FAULTS_SHOWN_MAX).join('\n\n'), '');
  },
  DEADLINE_MS,
);

function* lengthsOf(_path: string, size: number): Generator<number> {
  const random = new SeededRandom(SEED + size);
  if (ALL_LENGTHS) for (let length = 0; length < size; length++) yield length;
  else {
    const few = Math.min(LENGTHS_FIRST, size);
    for (let length = 0; length < few; length++) yield length;
    for (let length = 512; length < size; length += 512) yield length;
    for (let back = 1; back < Math.min(48, size); back++) yield size - back;
    for (let i = 0; i < LENGTHS_SAMPLED; i++) yield random.nextInt(size);
  }
}

function report(what: string, sweep: Sweep, begunMs: number, more: object): void {
  const { ending } = sweep.image;
  const seconds = Math.round((performance.now() - begunMs) / 100) / 10;
  const summary = {
    ...{ what, ending, ...sweep.total(), ...more, seed: SEED },
    ...{ wrong: sweep.faults.length, by: Object.fromEntries(sweep.tallies), seconds },
  };
  console.log(`RIG damage ${JSON.stringify(summary)}`);
}

const image = makeStore(ENDING);
const images = (['killed', 'sealed', 'closed'] as const).map((ending) =>
  ending === ENDING ? image : makeStore(ending),
);

run();
