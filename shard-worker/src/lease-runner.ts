// Runs one lease: finds memory for the shard, brings in the inputs it lacks, hands the computation to a thread and turns the
// result into the message for the coordinator. Knows nothing of sessions; which lease comes next is not decided here.

import type { CoordinatorService, Lease, WorkRequestSchema } from "@amalgam/proto";
import { AmalgamError, CHUNK_BYTES, type Client, MAX_RECEIVE_BYTES, toAmalgamError } from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ComputeAnswer, ComputePool } from "./compute-pool.ts";
import type { HeldShards } from "./held-shards.ts";
import type { MemoryBlock, MemoryPool } from "./memory-pool.ts";
import { scratchBytes } from "./programs.ts";
import { readInputs } from "./read-inputs.ts";
import { inputRanges, layOutShard, type ShardLayout } from "./shard-layout.ts";
import { findTarget } from "./staging.ts";
import type { InputSource, Storage, StorageMode } from "./storage.ts";
import { streamInputs } from "./stream-inputs.ts";
import { givenUp } from "./task-error.ts";
import type { OutputTarget, ShardTask, StatisticState, VariantTask } from "./thread-protocol.ts";
import type { WorkerMetrics } from "./worker-metrics.ts";

/** What the coordinator gets to hear of a lease: its result or its failure. */
export type LeaseReport = NonNullable<MessageInitShape<typeof WorkRequestSchema>["message"]>;

/** What a block of memory holds of a shard. */
export interface LoadedShard {
  readonly id: number;
  readonly layout: ShardLayout;
  readonly slots: ReadonlySet<number> | "all";
  /** Bytes of memory the shard needs, by variant. */
  readonly bytes: Map<string, number>;
  /** Slots whose inputs are in memory. */
  readonly loaded: Set<number>;
}

export interface LeaseRunner {
  /**
   * Starts a lease and resolves to its report; never rejects. Undefined: there is no memory for it now.
   * When `signal` aborts the report has code cancelled, and nothing of the lease is kept.
   */
  start(lease: Lease, signal: AbortSignal): Promise<LeaseReport> | undefined;
  /** Whether the lease could start without new memory, because its shard's inputs wait there. */
  isResident(lease: Lease): boolean;
  /** Whether another lease computes on the same shard: this one waits for it, not for memory. */
  isBusy(lease: Lease): boolean;
  /** Frees what belongs to a job. */
  forget(jobId: string): void;
}

export interface LeaseRunnerParts {
  readonly coordinator: Client<typeof CoordinatorService>;
  readonly compute: ComputePool;
  readonly memory: MemoryPool<LoadedShard>;
  readonly held: HeldShards;
  readonly storage: Storage;
  readonly storageMode: StorageMode;
  readonly metrics: WorkerMetrics;
}

export function createLeaseRunner(parts: LeaseRunnerParts): LeaseRunner {
  const { coordinator, compute, memory, held, storage, storageMode, metrics } = parts;
  const forgotten = new WeakSet<Lease>();
  const running = new Set<Lease>();
  let nextShardId = 1;

  /** Brings the shard's missing inputs into memory: from files that can be read here, and the rest streamed. */
  const bringInputs = async (
    lease: Lease,
    { memory, contents }: MemoryBlock<LoadedShard>,
    missing: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<void> => {
    const ranges = inputRanges(contents!.layout, missing);
    if (ranges.length === 0) return;
    const started = performance.now();
    const sources = new Map<number, InputSource>();
    for (const index of new Set(ranges.map(({ file }) => file))) {
      const file = lease.files[index];
      if (file === undefined)
        throw new AmalgamError("internal", `the lease names file ${index} of ${lease.files.length}`);
      const source = await storage.locate(lease.jobId, index, file);
      if (source !== undefined) sources.set(index, source);
    }
    const direct = ranges.filter(({ file }) => sources.has(file));
    if (direct.length > 0) {
      metrics.inputBytes("direct", await readInputs(new Uint8Array(memory.buffer), direct, sources, signal));
    }
    const streamed = ranges.filter(({ file }) => !sources.has(file));
    if (streamed.length > 0) {
      const source = { coordinator, jobId: lease.jobId, files: lease.files };
      metrics.inputBytes("stream", await streamInputs(source, streamed, memory, signal));
    }
    metrics.phase("read", performance.now() - started);
  };

  const execute = async (
    lease: Lease,
    block: MemoryBlock<LoadedShard>,
    variant: VariantTask,
    signal: AbortSignal,
  ): Promise<LeaseReport> => {
    const shard = block.contents!;
    const missing = neededSlots(lease, variant).difference(shard.loaded);
    await bringInputs(lease, block, missing, signal);
    for (const slot of missing) shard.loaded.add(slot);
    const target = lease.task.case === "write" ? await findTarget(lease.task.value, storageMode) : undefined;
    const answer = await compute.run(
      {
        shard: {
          id: shard.id,
          memory: block.memory,
          layout: shard.layout,
          inputFiles: lease.files.map(({ path }) => path),
        },
        task: shardTask(lease, variant, target),
      },
      { signal },
    );
    if (signal.aborted) throw givenUp();
    metrics.answered(answer);
    const done = await report(lease, answer, held);
    if (!signal.aborted) return done;
    // Given up while the shard was put away.
    held.drop(lease.jobId, [lease.candidate!.id], lease.shard!.index);
    throw givenUp();
  };

  const release = (lease: Lease, block: MemoryBlock<LoadedShard>, variant: VariantTask): void => {
    const shard = block.contents!;
    const keep = lease.keepInputs && !forgotten.has(lease) && neededSlots(lease, variant).isSubsetOf(shard.loaded);
    memory.release(block, keep);
  };

  const reserve = (lease: Lease, variant: VariantTask): MemoryBlock<LoadedShard> | undefined => {
    const key = shardKey(lease);
    const needed = neededSlots(lease, variant);
    const resident = memory.peek(key);
    const slots = lease.keepInputs ? "all" : needed;
    const fits = resident !== undefined && (resident.slots === "all" || needed.isSubsetOf(resident.slots));
    const layout = fits ? resident.layout : layOutShard(lease.shard!, slots);
    const sizes = fits ? resident.bytes : new Map<string, number>();
    const variantKey = JSON.stringify(variant);
    const bytes = sizes.get(variantKey) ?? layout.scratchAddress + scratchBytes(variant, layout);
    sizes.set(variantKey, bytes);
    const block = memory.acquire(key, bytes);
    if (block === undefined || block.contents?.layout === layout) return block;
    if (block.contents !== undefined) compute.forget(block.contents.id);
    block.contents = { id: nextShardId++, layout, slots, bytes: sizes, loaded: new Set() };
    return block;
  };

  return {
    start(lease, signal) {
      const failed = (error: unknown): LeaseReport => {
        const { code, message } = toAmalgamError(error);
        metrics.attempt(lease, code === "cancelled" ? "cancelled" : "failed");
        return { case: "leaseFailed", value: { leaseId: lease.leaseId, code, message } };
      };
      try {
        const variant = variantOf(lease);
        const block = reserve(lease, variant);
        if (block === undefined) return undefined;
        running.add(lease);
        return execute(lease, block, variant, signal)
          .then((done) => {
            metrics.attempt(lease, "done");
            return done;
          }, failed)
          .finally(() => {
            running.delete(lease);
            release(lease, block, variant);
          });
      } catch (error) {
        return Promise.resolve(failed(error));
      }
    },
    isResident: (lease) => memory.peek(shardKey(lease)) !== undefined,
    isBusy: (lease) => [...running].some((other) => shardKey(other) === shardKey(lease)),
    forget(jobId) {
      for (const lease of running) if (lease.jobId === jobId) forgotten.add(lease);
      held.forget(jobId);
      void storage.forget(jobId);
      memory.forget(keyPrefix(jobId));
    },
  };
}

const keyPrefix = (jobId: string): string => `${jobId}\u0000`;
const shardKey = (lease: Lease): string => `${keyPrefix(lease.jobId)}${lease.shard!.index}`;

function variantOf(lease: Lease): VariantTask {
  const variant = lease.candidate?.variant;
  if (variant === undefined || lease.shard === undefined || lease.task.case === undefined) {
    throw new AmalgamError(
      "internal",
      "the lease is incomplete: it needs a shard, a candidate with its variant, and a task",
    );
  }
  const groups = variant.groups.map(({ method, hasBase, models, slots, options }) => {
    return { method, hasBase, models, slots, options };
  });
  return { groups };
}

function neededSlots({ shard }: Lease, { groups }: VariantTask): Set<number> {
  const { segments } = shard!;
  const merging = new Set(segments.filter(({ copySlot }) => copySlot === undefined).map(({ group }) => group));
  const needed = new Set([...merging].flatMap((group) => groups[group]?.slots ?? []));
  for (const { copySlot } of segments) if (copySlot !== undefined) needed.add(copySlot);
  return needed;
}

function shardTask(lease: Lease, variant: VariantTask, target: OutputTarget | undefined): ShardTask {
  const candidate = lease.candidate!;
  const common = {
    variant,
    scalars: candidate.scalars.map(({ values }) => values),
    statistics: candidate.statistics.map(({ group, statistic, tensor, values }) => {
      return { group, statistic, tensor, values };
    }),
  };
  if (lease.task.case !== "statistic") {
    // Digests of segments are for the manifest: a candidate that is only evaluated needs none.
    return { kind: "merge", ...common, target, digestSegments: lease.task.case === "write" };
  }
  const { group, statistic, states } = lease.task.value;
  return {
    kind: "statistic",
    ...common,
    group,
    statistic,
    states: states.map(({ tensor, data }) => ({ tensor, data })),
  };
}

/** A message that is too long would end the session, and again when the lease is repeated. */
function assertSendable(partials: readonly StatisticState[]): void {
  const bytes = partials.reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes <= MAX_RECEIVE_BYTES - CHUNK_BYTES) return;
  throw new AmalgamError(
    "internal",
    `the statistics of ${partials.length} tensors take ${bytes} bytes, too many for one message; lease fewer tensors at once`,
  );
}

async function report(lease: Lease, { result }: ComputeAnswer, held: HeldShards): Promise<LeaseReport> {
  const { leaseId, jobId, shard, candidate } = lease;
  switch (result.kind) {
    case "partials":
      assertSendable(result.partials);
      return { case: "statisticDone", value: { leaseId, partials: [...result.partials] } };
    case "written":
      return { case: "writeDone", value: { leaseId, segmentSha256: [...result.segmentSha256] } };
    case "held": {
      const { bytes, sha256, segmentSha256 } = result;
      await held.hold({ jobId, shard: shard!.index, candidateId: candidate!.id, sha256 }, bytes);
      const byteLength = BigInt(bytes.byteLength);
      return { case: "mergeDone", value: { leaseId, sha256, byteLength, segmentSha256: [...segmentSha256] } };
    }
    default:
      return result satisfies never;
  }
}
