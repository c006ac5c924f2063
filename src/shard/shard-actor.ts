/**
 * The shard as an actor: it alone owns its engine and talks to routers through its links. `turn`
 * does a bounded amount of work and never waits:
 *   1. Reads, each link in turn.
 *   2. Writes: drain what waits into one group, commit it, answer what has become durable.
 *   3. Housekeeping.
 * Reads and writes have rings of their own, and both get their part of every turn, so neither side
 * starves the other.
 */
import type { ShardEnd } from '../rpc/link.js';
import type { ShardStats, StatName } from '../rpc/shard-stats.js';
import type { Engine } from './engine.js';
import { ReadLane } from './read-lane.js';
import { type ShardLink, shardLink } from './shard-link.js';
import { WriteLane } from './write-lane.js';

export type Turn =
  /** There is more to do at once. */
  | { kind: 'again' }
  /** Nothing to do before this monotonic time, unless a bell rings. */
  | { kind: 'until'; ms: number }
  /** The engine is poisoned: every caller has been told, the thread must end. */
  | { kind: 'poisoned'; message: string };

const AGAIN: Turn = { kind: 'again' };

export class ShardActor {
  readonly #engine: Engine;
  readonly #stats: ShardStats;
  readonly #links: readonly ShardLink[];
  readonly #reads: ReadLane;
  readonly #writes: WriteLane;
  /** What earlier lives of the shard had counted when this one began. */
  readonly #before: Record<StatName, number>;

  constructor(
    engine: Engine,
    ends: readonly ShardEnd[],
    { stats, slotMapEpoch }: { stats: ShardStats; slotMapEpoch: number },
  ) {
    this.#engine = engine;
    this.#stats = stats;
    this.#before = stats.all();
    this.#links = ends.map(shardLink);
    this.#reads = new ReadLane(engine, stats, slotMapEpoch);
    this.#writes = new WriteLane(engine, stats, slotMapEpoch, this.#links);
  }

  turn(): Turn {
    let busy = false;
    let due = Number.POSITIVE_INFINITY;
    try {
      for (const link of this.#links) busy = this.#reads.serve(link) || busy;
      busy = this.#writes.serve() || busy;
      busy = this.#writes.answerSettled() || busy;
      due = this.#engine.maintain();
    } catch (error) {
      if (this.#engine.poison === undefined) throw error;
    }
    const message = this.#engine.poison;
    if (message !== undefined) this.#writes.failUnsettled(message);
    this.#stats.add('turns', 1);
    this.#wakeRouters();
    if (message !== undefined) return { kind: 'poisoned', message };
    return busy || this.#isSorting() ? AGAIN : { kind: 'until', ms: due };
  }

  /** Answers everything that was taken and closes the engine; for an orderly stop. */
  stop(): void {
    for (let turn = this.turn(); turn.kind === 'again'; turn = this.turn());
    this.publishFigures();
    this.#engine.close();
  }

  /** Copies the engine's figures into the shared counters; totals go on from the last life. */
  publishFigures(): void {
    const figures = this.#engine.figures();
    for (const [key, value] of Object.entries(figures)) {
      const name = key as keyof typeof figures;
      this.#stats.set(name, name.endsWith('Total') ? this.#before[name] + value : value);
    }
  }

  /** A scan waits until the MemTables' keys are sorted: nobody will ring a bell for that. */
  #isSorting(): boolean {
    return this.#links.some(({ longReads }) => longReads.length > 0) && !this.#engine.prepareScan();
  }

  #wakeRouters(): void {
    for (const link of this.#links) {
      if (!link.replied) continue;
      link.replied = false;
      link.end.ringRouter();
    }
  }
}
