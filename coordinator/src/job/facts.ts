// What stands fixed about a job, and what follows from it alone.

/** What the recipe and the plan fix about a job. */
export interface JobFacts {
  readonly kind: "merge" | "search";
  readonly trials: number;
  /** Trials in flight. Part of the recipe, not of the cluster: it decides what the optimizer knows when it proposes. */
  readonly parallel: number;
  /** Of a search by steps: the first trials, which need no score; each later one needs those of all before it. */
  readonly firstTrials?: number;
  readonly tasks: readonly string[];
  /** Of a search whose trials race: after which pieces of the items a trial is judged; the last is all of them. */
  readonly looks?: readonly number[];
  /** Models by themselves, which are scored before the search where it is measured against them. */
  readonly experts?: readonly { readonly id: string; readonly name: string }[];
  /** Candidates of the final table besides the recommended one. */
  readonly comparisons: readonly string[];
  readonly shards: number;
}

/** How many trials must be settled before trial `next` is proposed, which is then a function of their scores. */
export function neededBefore(
  next: number,
  { parallel, firstTrials = Number.POSITIVE_INFINITY }: Pick<JobFacts, "parallel" | "firstTrials">,
): number {
  return next < firstTrials ? Math.max(0, next - parallel + 1) : next;
}
