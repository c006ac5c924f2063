/**
 * Tells from a shard's count of turns that it hangs. It counts looks, not milliseconds: when the
 * whole process was stopped for a while (SIGSTOP, a suspended machine), that was one look, not a
 * hang.
 */
const LOOKS_MAX = 4;

/** Look this often to notice a hang after about `heartbeatMsMax`. */
export function lookEveryMs(heartbeatMsMax: number): number {
  return Math.max(1, Math.floor(heartbeatMsMax / LOOKS_MAX));
}

export class Heartbeat {
  #turns = -1;
  #looksWithoutTurn = 0;

  /** True when the count has stood still for too long. Calling it again starts a new count. */
  look(turns: number): boolean {
    if (turns !== this.#turns) {
      this.#turns = turns;
      this.#looksWithoutTurn = 0;
      return false;
    }
    this.#looksWithoutTurn++;
    if (this.#looksWithoutTurn < LOOKS_MAX) return false;
    this.reset();
    return true;
  }

  reset(): void {
    this.#turns = -1;
    this.#looksWithoutTurn = 0;
  }
}
