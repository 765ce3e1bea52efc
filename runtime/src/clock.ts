/** Monotonic time and interruptible waiting. Wall-clock time is for log lines only: nothing may be decided by it. */
import { setTimeout as delay } from "node:timers/promises";
import { AmalgamError } from "./errors.ts";

export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back, whatever happens to the wall clock. */
  nowMs(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(ms: number, options?: { signal?: AbortSignal }): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  async sleep(ms, { signal } = {}) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (thrown) {
      throw signal?.aborted ? signal.reason : thrown;
    }
  },
};

export interface PollOptions {
  /** What is waited for, for the error: "the server to listen". */
  readonly what: string;
  readonly timeoutMs: number;
  /** Default 20. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Calls `probe` until it returns something that is not undefined or false, and returns that. A probe that throws is asked
 * again.
 * @throws AmalgamError `deadline_exceeded`, its cause the last thing that the probe threw.
 */
export async function poll<T>(
  probe: () => T | Promise<T>,
  { what, timeoutMs, intervalMs = 20, signal }: PollOptions,
): Promise<Exclude<T, undefined | false>> {
  const startedAt = systemClock.nowMs();
  for (;;) {
    let lastError: unknown;
    try {
      const result = await probe();
      if (result !== undefined && result !== false) return result as Exclude<T, undefined | false>;
    } catch (thrown) {
      lastError = thrown;
    }
    if (systemClock.nowMs() - startedAt >= timeoutMs)
      throw new AmalgamError("deadline_exceeded", `waited ${timeoutMs} ms in vain for ${what}`, { cause: lastError });
    await systemClock.sleep(intervalMs, signal === undefined ? {} : { signal });
  }
}
