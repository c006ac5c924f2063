/** Waiting as a port, so that tests decide when time is up. */
export interface Timers {
  /** Runs the task once after `ms`; the returned function calls it off. */
  after(ms: number, task: () => void): () => void;
  /** Runs the task every `ms` until the returned function is called. */
  every(ms: number, task: () => void): () => void;
}

export const systemTimers: Timers = {
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
  every(ms, task) {
    const timer = setInterval(task, ms);
    return () => clearInterval(timer);
  },
};
