// How long a merge takes on this machine, by merging one of its shards.
import { type Plan, type PlanExplanation, trialLease } from "@amalgam/coordinator";
import { toAmalgamError } from "@amalgam/runtime";
import { formatBytes, formatDuration } from "../render/units.ts";
import { defaultThreads } from "../roles/local.ts";

/** From the command to the first shard, and from the last one to the published model. */
const START_SECONDS = 1;

export interface Estimate {
  /** Of one merge of all weights. */
  readonly seconds: number;
  readonly threads: number;
  readonly readBytesPerSecond: number;
  /** Of one thread, statistics included. */
  readonly mergedBytesPerSecond: number;
}

/** Undefined where inputs are remote, whose bytes are fetched when they are needed only, or nothing is merged. */
export async function estimateMerge(
  plan: Plan,
  { passBytes, totals, statistics }: PlanExplanation,
  signal: AbortSignal,
): Promise<Estimate | undefined> {
  const lease = plan.files.some(({ version }) => version !== "") ? undefined : trialLease(plan);
  if (lease === undefined) return undefined;
  const { timeLease } = await import("@amalgam/shard-worker");
  const timing = await timeLease(lease, signal).catch((error: unknown) => {
    // Made-up statistics and coefficients may give weights that no dtype holds. Anything else would fail the merge too.
    const madeUp = statistics.sums + statistics.orderStatistics > 0 || plan.recipe.search !== undefined;
    if (madeUp && toAmalgamError(error).code === "out_of_range") return undefined;
    throw error;
  });
  if (timing === undefined) return undefined;
  const { readBytes, readMs, computeMs } = timing;
  const threads = defaultThreads();
  const readBytesPerSecond = (1000 * readBytes) / readMs;
  const mergedBytesPerSecond = (1000 * readBytes) / computeMs;
  // Moving bytes is a thread's work too, unless the disk is slower than the processor; writing is taken to be as fast as reading.
  const moving = (passBytes + totals.outputBytes) / readBytesPerSecond;
  const merging = totals.inputBytes / mergedBytesPerSecond;
  const seconds = START_SECONDS + Math.max(moving, (merging + moving) / threads);
  return { seconds, threads, readBytesPerSecond, mergedBytesPerSecond };
}

export function estimateText({ seconds, threads, readBytesPerSecond, mergedBytesPerSecond }: Estimate): string {
  const speed = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`;
  return (
    `about ${formatDuration(1000 * seconds)} for each merge, on ${threads} threads of this machine ` +
    `(measured on one shard: reading ${speed(readBytesPerSecond)}, merging ${speed(mergedBytesPerSecond)} a thread)`
  );
}
