/** Time as a port. Order never comes from it; sequence numbers give order. */
export interface Clock {
  /** Wall clock in milliseconds since the epoch; may jump. For expiry and reports only. */
  wallMs(): number;
  /** Monotonic milliseconds with fractions; for intervals and deadlines. */
  monotonicMs(): number;
}
