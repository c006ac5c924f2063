/**
 * The directories of the simulated disk. A change of names is durable only after its directory was
 * synced; a rename is one change, so it survives whole or not at all. Of two changes to the same
 * name the later one never survives without the earlier one.
 */
import { type CrashPlan, SimulatedFile } from './simulated-file.js';
import type { Digest } from './state-digest.js';
import { systemError } from './system-error.js';

export type Node = SimulatedDirectory | SimulatedFile;

export class SimulatedDirectory {
  readonly entries = new Map<string, Node>();
  readonly durable = new Map<string, Node>();
}

interface NameEdit {
  dir: SimulatedDirectory;
  name: string;
  /** What the name means afterwards; undefined = it is gone. */
  node: Node | undefined;
}

interface NameChange {
  moment: number;
  edits: NameEdit[];
}

/** A path taken apart: the directory that holds the last name, and what is there. */
export interface Place {
  dir: SimulatedDirectory;
  name: string;
  node: Node | undefined;
}

export class SimulatedNamespace {
  #root = new SimulatedDirectory();
  #journal: NameChange[] = [];

  /** Finds the place of a path; its directory must exist. */
  place(path: string, operation: string): Place {
    const names = namesOf(path);
    const name = names.at(-1);
    if (name === undefined) throw systemError('EINVAL', operation, path);
    const dir = this.#walk(names, names.length - 1, operation, path);
    return { dir, name, node: dir.entries.get(name) };
  }

  directory(path: string, operation: string): SimulatedDirectory {
    const names = namesOf(path);
    return this.#walk(names, names.length, operation, path);
  }

  find(path: string, operation: string): Node | undefined {
    let node: Node = this.#root;
    for (const name of namesOf(path)) {
      if (node instanceof SimulatedFile) throw systemError('ENOTDIR', operation, path);
      const child = node.entries.get(name);
      if (child === undefined) return undefined;
      node = child;
    }
    return node;
  }

  /** The directory that the first `count` names lead to. */
  #walk(
    names: readonly string[],
    count: number,
    operation: string,
    path: string,
  ): SimulatedDirectory {
    let dir = this.#root;
    for (let i = 0; i < count; i++) {
      const node = dir.entries.get(names[i] ?? '');
      if (node === undefined) throw systemError('ENOENT', operation, path);
      if (!(node instanceof SimulatedDirectory)) throw systemError('ENOTDIR', operation, path);
      dir = node;
    }
    return dir;
  }

  makeDirectories(path: string, moment: number): void {
    let dir = this.#root;
    for (const name of namesOf(path)) {
      let node = dir.entries.get(name);
      if (node === undefined) {
        node = new SimulatedDirectory();
        this.change(moment, [{ dir, name, node }]);
      }
      if (!(node instanceof SimulatedDirectory)) throw systemError('EEXIST', 'makeDir', path);
      dir = node;
    }
  }

  /** Makes the edits visible as one change. */
  change(moment: number, edits: NameEdit[]): void {
    for (const { dir, name, node } of edits) {
      const before = dir.entries.get(name);
      if (before instanceof SimulatedFile) before.links--;
      if (node instanceof SimulatedFile) node.links++;
      if (node === undefined) dir.entries.delete(name);
      else dir.entries.set(name, node);
    }
    this.#journal.push({ moment, edits });
  }

  /** Makes the changes in `dir` durable, with all earlier ones they build on. */
  sync(dir: SimulatedDirectory): void {
    this.#journal = this.#take(dir, apply);
  }

  /** A failed directory sync: programs still see the changes, the power loss drops them. */
  loseUnsynced(dir: SimulatedDirectory): void {
    this.#journal = this.#take(dir, () => undefined);
  }

  #take(dir: SimulatedDirectory, use: (change: NameChange) => void): NameChange[] {
    const needed = new NameSet();
    const taken: NameChange[] = [];
    const kept: NameChange[] = [];
    for (const change of this.#journal.toReversed()) {
      const wanted = change.edits.some((edit) => edit.dir === dir || needed.has(edit));
      if (wanted) for (const edit of change.edits) needed.add(edit);
      (wanted ? taken : kept).push(change);
    }
    for (const change of taken.reverse()) use(change);
    return kept.reverse();
  }

  syncAll(): void {
    for (const change of this.#journal) apply(change);
    this.#journal = [];
    for (const file of this.files()) file.sync();
  }

  collectMoments(into: number[]): void {
    for (const change of this.#journal) into.push(change.moment);
    for (const file of this.files()) file.collectMoments(into);
  }

  /** Whether a power loss has anything to decide. */
  get hasUnsynced(): boolean {
    if (this.#journal.length > 0) return true;
    for (const file of this.files()) if (file.hasUnsynced) return true;
    return false;
  }

  /** Names, sizes and contents, in no matter which order they came about. */
  digestInto(into: Digest): void {
    const dirs = [this.#root];
    for (let dir = dirs.pop(); dir !== undefined; dir = dirs.pop()) {
      for (const name of [...dir.entries.keys()].sort(byCodeUnit)) {
        into.addText(name);
        const node = dir.entries.get(name);
        if (node instanceof SimulatedDirectory) dirs.push(node);
        else node?.digestInto(into);
      }
    }
    for (const { edits } of this.#journal) {
      for (const { name, node } of edits) {
        into.addText(name);
        if (node instanceof SimulatedFile) node.digestInto(into);
      }
    }
  }

  /** All files with a name, each once. */
  files(): Set<SimulatedFile> {
    const found = new Set<SimulatedFile>();
    const dirs = [this.#root];
    for (let dir = dirs.pop(); dir !== undefined; dir = dirs.pop()) {
      for (const node of dir.entries.values()) {
        if (node instanceof SimulatedDirectory) dirs.push(node);
        else found.add(node);
      }
    }
    return found;
  }

  /** Puts names and files into one legal state after a power loss. */
  settle(plan: CrashPlan): void {
    this.#settleJournal(plan);
    this.#journal = [];
    const dirs = [this.#root];
    for (let dir = dirs.pop(); dir !== undefined; dir = dirs.pop()) {
      dir.entries.clear();
      for (const [name, node] of dir.durable) {
        dir.entries.set(name, node);
        if (node instanceof SimulatedDirectory) dirs.push(node);
        else node.links = 0;
      }
    }
    for (const file of this.files()) file.settle(plan);
    this.#recountLinks();
  }

  #settleJournal(plan: CrashPlan): void {
    if (plan.mode === 'synced-only' || plan.mode === 'data') return;
    // Real journals keep the order of a directory's changes; half of the time so do we.
    const ordered = plan.mode === 'subset' && plan.random.chance(0.5);
    const orderedCount = plan.random.nextInt(this.#journal.length + 1);
    const dropped = new NameSet();
    for (const [index, change] of this.#journal.entries()) {
      let survives = true;
      if (plan.mode === 'prefix') survives = change.moment <= plan.lastMoment;
      else if (plan.mode === 'all-but-one') {
        survives =
          change.moment !== plan.lastMoment && !change.edits.some((edit) => dropped.has(edit));
      } else if (plan.mode === 'last-only') {
        // Not without what it builds on.
        survives = index === this.#journal.length - 1 && !change.edits.some((e) => dropped.has(e));
      } else if (ordered) survives = index < orderedCount;
      else if (plan.mode === 'subset') {
        survives = plan.random.chance(0.5) && !change.edits.some((edit) => dropped.has(edit));
      }
      if (survives) apply(change);
      else for (const edit of change.edits) dropped.add(edit);
    }
  }

  #recountLinks(): void {
    const dirs = [this.#root];
    for (let dir = dirs.pop(); dir !== undefined; dir = dirs.pop()) {
      for (const node of dir.entries.values()) {
        if (node instanceof SimulatedDirectory) dirs.push(node);
        else node.links++;
      }
    }
  }

  clone(): SimulatedNamespace {
    const copy = new SimulatedNamespace();
    const copies = new Map<Node, Node>();
    const cloneNode = (node: Node): Node => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      if (node instanceof SimulatedFile) {
        const file = node.clone();
        copies.set(node, file);
        return file;
      }
      const dir = new SimulatedDirectory();
      copies.set(node, dir);
      for (const [name, child] of node.entries) dir.entries.set(name, cloneNode(child));
      for (const [name, child] of node.durable) dir.durable.set(name, cloneNode(child));
      return dir;
    };
    copy.#root = cloneNode(this.#root) as SimulatedDirectory;
    copy.#journal = this.#journal.map(({ moment, edits }) => ({
      moment,
      edits: edits.map(({ dir, name, node }) => ({
        dir: cloneNode(dir) as SimulatedDirectory,
        name,
        node: node === undefined ? undefined : cloneNode(node),
      })),
    }));
    return copy;
  }
}

/** Names of directories, which have no identity as strings. */
class NameSet {
  readonly #names = new Map<SimulatedDirectory, Set<string>>();

  add(edit: NameEdit): void {
    const names = this.#names.get(edit.dir);
    if (names === undefined) this.#names.set(edit.dir, new Set([edit.name]));
    else names.add(edit.name);
  }

  has(edit: NameEdit): boolean {
    return this.#names.get(edit.dir)?.has(edit.name) === true;
  }
}

function apply(change: NameChange): void {
  for (const { dir, name, node } of change.edits) {
    if (node === undefined) dir.durable.delete(name);
    else dir.durable.set(name, node);
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const namesByPath = new Map<string, readonly string[]>();
const PATHS_KEPT_MAX = 4096;

function namesOf(path: string): readonly string[] {
  const known = namesByPath.get(path);
  if (known !== undefined) return known;
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (namesByPath.size >= PATHS_KEPT_MAX) namesByPath.clear();
  namesByPath.set(path, names);
  return names;
}
