/**
 * uvu with a deadline for every test: a test that hangs fails with its name instead of hanging the
 * run. `suite('WalReader')`, then `test('reports a torn last record and stops', …)`, then `run()`.
 */
import { suite as uvuSuite } from 'uvu';

/** Only a hang may meet it: machines are ten times slower at times. */
const DEADLINE_MS = 120_000;

export interface Suite {
  test(title: string, body: () => void | Promise<void>, deadlineMs?: number): void;
  after(hook: () => void | Promise<void>): void;
  run(): void;
}

export function suite(name: string): Suite {
  const inner = uvuSuite(name);
  return {
    test(title, body, deadlineMs = DEADLINE_MS) {
      inner(title, () =>
        withDeadline(Promise.resolve().then(body), `${name} ${title}`, deadlineMs),
      );
    },
    after: (hook) => inner.after(async () => hook()),
    run: () => inner.run(),
  };
}

/** Rejects when `work` has not settled in time; the timer never keeps the process alive. */
export async function withDeadline<T>(work: Promise<T>, what: string, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Deadline of ${ms} ms passed: ${what}`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
