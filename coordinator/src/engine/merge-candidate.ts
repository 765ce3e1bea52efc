// Has one candidate merged by the fleet: statistics first, then every shard. Shards that a worker still holds are not
// merged again.
import type { MergeGraph } from "@amalgam/kernels";
import {
  CandidateSchema,
  type InputFile,
  type LeaseSchema,
  type ScalarRow,
  type Shard,
  type Variant,
} from "@amalgam/proto";
import { AmalgamError } from "@amalgam/runtime";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Fleet, Held, TaskResult } from "../fleet/fleet.ts";
import type { ReductionScope } from "../plan/index.ts";
import type { HeldEstimates } from "./held-estimates.ts";
import type { GivenSlot } from "./importance.ts";
import { type ReducedStage, reduceStatistics, type StatisticCache } from "./statistics.ts";

type LeaseTask = NonNullable<Exclude<MessageInitShape<typeof LeaseSchema>, { $typeName: string }>["task"]>;

/** A candidate with everything the wire needs, shard by shard. */
export interface CandidateMerge {
  readonly jobId: string;
  /** Names the candidate and the exact merge: two merges with the same id have the same bytes. */
  readonly mergeId: string;
  /** Of the variant's groups, in their order. */
  readonly graphs: readonly MergeGraph[];
  readonly variant: Variant;
  /** Identifies the variant in the statistics cache. */
  readonly variantKey: string;
  readonly shards: readonly Shard[];
  readonly files: readonly InputFile[];
  /** What its given slots hold. */
  readonly given: readonly GivenSlot[];
  /** Keep inputs in the workers' memory: more candidates follow. */
  readonly keepInputs: boolean;
  /** What merges: "wasm", or that of workers with a device. */
  readonly backend: string;
  inputBytes(shard: number): number;
  /** What the largest shard takes in a worker's memory. */
  readonly largestShardBytes: number;
  scalars(shard: number): ScalarRow[];
  scopesOf(group: number, stage: number): readonly ReductionScope[];
}

export interface MergeEnvironment {
  readonly fleet: Fleet;
  readonly cache: StatisticCache;
  readonly estimates: Pick<HeldEstimates, "given">;
  readonly signal: AbortSignal;
}

/** A statistic with the group whose graph has it. */
export interface GroupStatistic extends ReducedStage {
  readonly group: number;
}

export interface MergedShard {
  readonly shard: number;
  readonly sha256: string;
  readonly byteLength: number;
  readonly address: string;
}

/** Statistics of the candidate that span shards, of each group by itself: no group needs another's. */
export async function candidateStatistics(
  merge: CandidateMerge,
  environment: MergeEnvironment,
): Promise<GroupStatistic[]> {
  const groups = merge.graphs.map(async (graph, group) => {
    const ofGroup = (stages: readonly ReducedStage[]): GroupStatistic[] => stages.map((each) => ({ ...each, group }));
    const reduced = await reduceStatistics(
      graph,
      (stage) => merge.scopesOf(group, stage),
      async (shard, stage, round, states, earlier) => {
        const task = { case: "statistic" as const, value: { group, statistic: stage, round, states: [...states] } };
        const what = `s${group}.${stage}.${round}`;
        const result = await lease(merge, shard, what, ofGroup(earlier), task, environment);
        if (result.case !== "statisticDone") throw unexpected(result);
        return result.value;
      },
      environment.cache,
      `${merge.variantKey} ${group}`,
    );
    return ofGroup(reduced);
  });
  return (await Promise.all(groups)).flat();
}

/** Merges every shard that nobody holds yet; `onMerged` is told how many are held. */
export async function mergeCandidate(
  merge: CandidateMerge,
  environment: MergeEnvironment,
  onMerged: (shards: number) => void,
): Promise<MergedShard[]> {
  const { fleet } = environment;
  const holder = (shard: number): Held | undefined => fleet.held(merge.jobId, merge.mergeId, shard);
  const missing = merge.shards.filter(({ index }) => holder(index) === undefined);
  let count = merge.shards.length - missing.length;
  onMerged(count);
  if (missing.length > 0) {
    const reduced = await candidateStatistics(merge, environment);
    await Promise.all(
      missing.map(async ({ index }) => {
        const task = { case: "merge" as const, value: {} };
        const result = await lease(merge, index, "m", reduced, task, environment);
        if (result.case !== "mergeDone") throw unexpected(result);
        onMerged(++count);
      }),
    );
  }
  return merge.shards.map(({ index }) => {
    const held = holder(index);
    // Its worker was lost between the merge and now; whoever asks again finds it missing and merges it anew.
    if (held === undefined) throw new AmalgamError("aborted", `shard ${index} was lost after it was merged`);
    return { shard: index, sha256: held.sha256, byteLength: held.byteLength, address: held.address };
  });
}

/** Has one shard merged and written to its place in the staging directory, or held where the worker cannot see it. */
export async function writeShard(
  merge: CandidateMerge,
  shard: number,
  reduced: readonly GroupStatistic[],
  target: { readonly stagingDirectory: string; readonly files: string[]; readonly stagingToken: string },
  environment: MergeEnvironment,
): Promise<Extract<TaskResult, { case: "writeDone" | "mergeDone" }>> {
  const task = { case: "write" as const, value: { ...target } };
  const result = await lease(merge, shard, "w", reduced, task, environment);
  if (result.case === "statisticDone") throw unexpected(result);
  return result;
}

function lease(
  merge: CandidateMerge,
  shard: number,
  stage: string,
  reduced: readonly GroupStatistic[],
  task: LeaseTask,
  { fleet, estimates, signal }: MergeEnvironment,
): Promise<TaskResult> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const settled = (): void => signal.removeEventListener("abort", abort);
    fleet.submit({
      key: `${merge.jobId}/${merge.mergeId}/${stage}/${shard}`,
      jobId: merge.jobId,
      shard,
      candidateId: merge.mergeId,
      inputBytes: merge.inputBytes(shard),
      backend: merge.backend,
      lease: () => ({
        jobId: merge.jobId,
        shard: merge.shards[shard]!,
        files: [...merge.files],
        candidate: create(CandidateSchema, {
          id: merge.mergeId,
          variant: merge.variant,
          scalars: merge.scalars(shard),
          statistics: reduced.map(({ group, stage: statistic, tensor, values }) => ({
            group,
            statistic,
            tensor,
            values: [...values],
          })),
          given: estimates.given(merge.given, shard),
        }),
        largestShardBytes: BigInt(merge.largestShardBytes),
        // Writing comes last.
        keepInputs: merge.keepInputs && task.case !== "write",
        backend: merge.backend,
        task,
      }),
      done: (result) => {
        settled();
        resolve(result);
      },
      failed: (error) => {
        settled();
        reject(error);
      },
    });
  });
}

function unexpected(result: TaskResult): AmalgamError {
  return new AmalgamError("internal", `a worker answered a lease with ${result.case}`);
}
