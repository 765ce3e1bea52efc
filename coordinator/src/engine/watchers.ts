// People who watch jobs: each gets the newest view, never a backlog of old ones, and not more than they can take.
import type { JobView } from "@amalgam/proto";

export interface Watchers {
  changed(jobId: string): void;
  /** Views until one has ended or `signal` aborts. */
  watch(jobId: string, view: () => JobView, signal: AbortSignal): AsyncGenerator<JobView, void, undefined>;
  end(): void;
}

/** A terminal is redrawn no faster than this; bursts of changes become one view. */
const QUIET_MS = 50;
const ENDED = ["done", "failed", "cancelled"];

export function createWatchers(): Watchers {
  const waiting = new Map<string, Set<() => void>>();
  let ended = false;

  const wake = (jobId: string): void => {
    const woken = waiting.get(jobId);
    waiting.delete(jobId);
    for (const resolve of woken ?? []) resolve();
  };

  return {
    changed: wake,
    async *watch(jobId, view, signal) {
      signal.addEventListener("abort", () => wake(jobId), { once: true });
      while (!signal.aborted && !ended) {
        const changed = new Promise<void>((resolve) => {
          waiting.set(jobId, (waiting.get(jobId) ?? new Set()).add(resolve));
        });
        const now = view();
        yield now;
        if (ENDED.includes(now.state)) return;
        await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
        await changed;
      }
    },
    end() {
      ended = true;
      for (const jobId of [...waiting.keys()]) wake(jobId);
    },
  };
}
