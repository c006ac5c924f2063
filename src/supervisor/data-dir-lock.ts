/**
 * One process per data dir (docs/adr/0002-data-dir-lock.md). The file LOCK is a socket that answers
 * while its owner lives. To take the lock:
 *
 * 1. Listen on a socket under a name of one's own, then hard-link it to LOCK: atomic, and whoever
 *    sees LOCK sees a socket that already answers.
 * 2. If LOCK exists: hard-link it to a probe, which pins the inode, and connect to the probe. Alive
 *    → refused. Dead → it is dead for ever, and its inode number cannot come back while pinned.
 * 3. Take the guard LOCK.<inode> in the same way (so a guard whose taker died is taken over).
 *    Only the holder of that guard may replace LOCK, and only while LOCK still has that inode: it
 *    renames a link to its own socket over it.
 *
 * Whoever loses a race starts again at 1 and finds a living owner. Runs on the main thread. Imports
 * node:fs because links to sockets are no business of the storage port.
 */
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
} from 'node:fs';
import type { Server } from 'node:net';
import { hostname } from 'node:os';
import type { Clock } from '../base/clock.js';
import { messageOf, StormError, systemCodeOf } from '../base/errors.js';
import { type Random, randomUint48 } from '../base/random.js';
import { askOwner, listenAsOwner, type Owner } from './owner-socket.js';
import type { Timers } from './timers.js';

export const LOCK_FILE = 'LOCK';
const OWN_NAME = /^LOCK\.(\d+|[0-9a-f]+\.tmp)$/;
/** Dead guards of dead takers: each level needs one more process killed at the wrong moment. */
const GUARD_DEPTH_MAX = 8;
const RETRIES_MAX = 200;
const RETRY_WAIT_MS = 25;
/** `sun_path` has 108 bytes on Linux and 104 elsewhere, with a zero at the end. */
const SOCKET_PATH_BYTES_MAX = 103;

export interface LockEnv {
  clock: Clock;
  random: Random;
  timers: Timers;
}

type Claim =
  | { kind: 'held' }
  | { kind: 'owned'; by: Owner | undefined }
  /** Something changed meanwhile, or somebody else is at it. */
  | { kind: 'again' };

export class DataDirLock {
  readonly #dir: string;
  #dirFd: number | undefined;
  /** The directory as a path short enough for a socket's address. */
  readonly #base: string;
  readonly #random: Random;
  readonly #self: Owner;
  #server: Server | undefined;
  #ownName = '';
  #ownInode = 0n;

  private constructor(dir: string, env: LockEnv) {
    this.#dir = dir;
    this.#dirFd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
    const short = `/proc/self/fd/${this.#dirFd}`;
    this.#base = existsSync(short) ? short : dir;
    this.#random = env.random;
    const startedAt = new Date(env.clock.wallMs()).toISOString();
    this.#self = { pid: process.pid, host: hostname(), startedAt };
  }

  /**
   * Takes the lock of an existing data dir until `release` or the end of the process. While another
   * process has it: FAILED_PRECONDITION, with its pid where it answers.
   */
  static async acquire(dir: string, env: LockEnv): Promise<DataDirLock> {
    let lock: DataDirLock | undefined;
    try {
      lock = new DataDirLock(dir, env);
      await lock.#acquire(env.timers);
      return lock;
    } catch (error) {
      if (lock !== undefined) await lock.#stop();
      if (error instanceof StormError) throw error;
      throw new StormError(
        'FAILED_PRECONDITION',
        `The data dir ${dir} cannot be locked: ${messageOf(error)}. It must be on a local file ` +
          'system with hard links and sockets, and belong to the user who starts stormkv',
        { cause: error },
      );
    }
  }

  /** False when somebody removed or replaced LOCK by hand: then nothing guards the data. */
  isIntact(): boolean {
    return this.#server !== undefined && this.#inodeOf(LOCK_FILE) === this.#ownInode;
  }

  /** Gives the data dir free. */
  async release(): Promise<void> {
    // While this socket answers nobody else replaces LOCK, so nothing can change in between.
    if (this.isIntact()) this.#remove(LOCK_FILE);
    await this.#stop();
  }

  async #acquire(timers: Timers): Promise<void> {
    await this.#listen();
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
      const claim = await this.#claim(LOCK_FILE, 0);
      if (claim.kind === 'held') {
        this.#remove(this.#ownName);
        await this.#sweep();
        return;
      }
      if (claim.kind === 'owned') throw belongsTo(this.#dir, claim.by);
      await new Promise<void>((resolve) => timers.after(RETRY_WAIT_MS, resolve));
      // The owner's sweep takes a socket for dead in the instant between its bind and its listen.
      if (this.#inodeOf(this.#ownName) === undefined) await this.#listen();
    }
    throw new StormError(
      'UNAVAILABLE',
      `Another process has been taking over the data dir ${this.#dir} for too long: try again`,
    );
  }

  async #listen(): Promise<void> {
    await closed(this.#server);
    this.#ownName = this.#uniqueName();
    const path = this.#path(this.#ownName);
    if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
      throw new StormError(
        'FAILED_PRECONDITION',
        `The path of the data dir ${this.#dir} is too long for a socket in it on this system: ` +
          'choose a shorter one',
      );
    }
    this.#server = await listenAsOwner(path, this.#self);
    this.#ownInode = this.#inodeOf(this.#ownName) ?? 0n;
  }

  async #claim(name: string, depth: number): Promise<Claim> {
    if (this.#link(this.#ownName, name) === 'done') return { kind: 'held' };
    const probe = this.#uniqueName();
    if (this.#link(name, probe) === 'missing') return { kind: 'again' };
    try {
      const inode = this.#inodeOf(probe);
      const life = await askOwner(this.#path(probe));
      if (life.kind === 'alive') return { kind: 'owned', by: life.owner };
      if (life.kind === 'gone' || inode === undefined) return { kind: 'again' };
      return await this.#replaceDead(name, inode, depth);
    } finally {
      this.#remove(probe);
    }
  }

  /** Puts the own socket in the place of a dead one, whose inode the caller has pinned. */
  async #replaceDead(name: string, inode: bigint, depth: number): Promise<Claim> {
    if (depth === GUARD_DEPTH_MAX) {
      throw new StormError(
        'FAILED_PRECONDITION',
        `Too many dead lock files in ${this.#dir}: make sure that no stormkv uses it, then ` +
          `remove the files ${LOCK_FILE} and ${LOCK_FILE}.*`,
      );
    }
    const guard = `${LOCK_FILE}.${inode}`;
    const claim = await this.#claim(guard, depth + 1);
    if (claim.kind !== 'held') return { kind: 'again' };
    try {
      if (this.#inodeOf(name) !== inode) return { kind: 'again' };
      const fresh = this.#uniqueName();
      if (this.#link(this.#ownName, fresh) !== 'done') return { kind: 'again' };
      renameSync(this.#path(fresh), this.#path(name));
      return { kind: 'held' };
    } finally {
      this.#remove(guard);
    }
  }

  /**
   * Removes what killed processes left behind. Only the owner may: while it lives LOCK is its own,
   * so whatever guard goes missing under a taker's feet, that taker finds LOCK changed.
   */
  async #sweep(): Promise<void> {
    for (const name of readdirSync(this.#base)) {
      if (!OWN_NAME.test(name)) continue;
      const life = await askOwner(this.#path(name));
      if (life.kind === 'dead') this.#remove(name);
    }
  }

  async #stop(): Promise<void> {
    const [server, dirFd] = [this.#server, this.#dirFd];
    this.#server = undefined;
    this.#dirFd = undefined;
    if (server !== undefined) this.#remove(this.#ownName);
    // Closing unlinks the path it listens at, so the directory must stay open until then.
    await closed(server);
    if (dirFd !== undefined) closeSync(dirFd);
  }

  #uniqueName(): string {
    return `${LOCK_FILE}.${randomUint48(this.#random).toString(16)}.tmp`;
  }

  #path(name: string): string {
    return `${this.#base}/${name}`;
  }

  #inodeOf(name: string): bigint | undefined {
    return lstatSync(this.#path(name), { bigint: true, throwIfNoEntry: false })?.ino;
  }

  #link(from: string, to: string): 'done' | 'exists' | 'missing' {
    try {
      linkSync(this.#path(from), this.#path(to));
      return 'done';
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === 'EEXIST') return 'exists';
      if (code === 'ENOENT') return 'missing';
      throw error;
    }
  }

  #remove(name: string): void {
    try {
      unlinkSync(this.#path(name));
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
    }
  }
}

function closed(server: Server | undefined): Promise<void> {
  if (server === undefined) return Promise.resolve();
  return new Promise((resolve) => server.close(() => resolve()));
}

function belongsTo(dir: string, owner: Owner | undefined): StormError {
  const who =
    owner === undefined
      ? 'a process that is too busy to say its pid'
      : `process ${owner.pid} on ${owner.host}, running since ${owner.startedAt}`;
  return new StormError(
    'FAILED_PRECONDITION',
    `The data dir ${dir} belongs to ${who}: stop it first, or choose another data dir`,
  );
}
