/** Full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): spreads retries evenly, so that herds dissolve. */

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Milliseconds to wait before retry number `attempt` (from 0): uniform in [0, min(maxMs, baseMs * 2^attempt)). */
export function backoffMs(attempt: number, { baseMs, maxMs, random }: BackoffOptions): number {
  return random() * Math.min(maxMs, baseMs * 2 ** attempt);
}
