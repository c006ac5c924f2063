/**
 * Streaming calls that would go on until their client ends them: watches of the health service,
 * reflection, ingests. A drain must end them, or it would wait for its deadline.
 */
export class OpenStreams {
  readonly #stops = new Set<() => void>();
  #isStopped = false;

  get count(): number {
    return this.#stops.size;
  }

  /** `stop` runs once when the door drains, at once if it does already; the result forgets it. */
  add(stop: () => void): () => void {
    if (this.#isStopped) stop();
    else this.#stops.add(stop);
    return () => void this.#stops.delete(stop);
  }

  stopAll(): void {
    this.#isStopped = true;
    const stops = [...this.#stops];
    this.#stops.clear();
    for (const stop of stops) stop();
  }
}
