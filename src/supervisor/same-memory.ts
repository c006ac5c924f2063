/**
 * Whether two SharedArrayBuffer objects are handles of one memory. Every passage between threads
 * makes a new object, so `===` says no where the answer is yes.
 *
 * Waiters are kept per place in memory, not per handle: a waiter registered through one handle is
 * woken through the other exactly when both are the same memory. Nothing is written, so it may be
 * asked of memory that other threads are using (as long as they never wait on its first word).
 */
export function isSameMemory(a: SharedArrayBuffer, b: SharedArrayBuffer): boolean {
  if (a === b) return true;
  if (a.byteLength !== b.byteLength || a.byteLength < Int32Array.BYTES_PER_ELEMENT) return false;
  const left = new Int32Array(a, 0, 1);
  const right = new Int32Array(b, 0, 1);
  for (;;) {
    const waiter = Atomics.waitAsync(left, 0, Atomics.load(left, 0));
    // The word changed between the load and the wait: its owner is writing.
    if (!waiter.async) continue;
    const woken = Atomics.notify(right, 0);
    if (woken === 0) Atomics.notify(left, 0);
    return woken > 0;
  }
}
