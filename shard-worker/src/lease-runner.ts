// Runs one lease: finds memory for the shard, brings in the inputs it lacks, hands the computation to a thread and turns the
// result into the message for the coordinator. Knows nothing of sessions; which lease comes next is not decided here.

import type { SharedMemory } from "@amalgam/kernels";
import type { CoordinatorService, GivenInput, Lease, ShardService } from "@amalgam/proto";
import { AmalgamError, type Client, type ClientPool, type HeldShards, toAmalgamError } from "@amalgam/runtime";
import type { ComputeAnswer, ComputePool } from "./compute-pool.ts";
import { GivenInputLost, givenText, placeGiven } from "./given-inputs.ts";
import { type LeaseReport, neededSlots, report, shardTask, variantOf } from "./lease-messages.ts";
import type { MemoryBlock, MemoryPool } from "./memory-pool.ts";
import { byteCount, type OutputFiles, type OutputRange } from "./output-files.ts";
import { scratchBytes } from "./programs.ts";
import { readInputs } from "./read-inputs.ts";
import { sampledRanges } from "./sampled-ranges.ts";
import {
  derivedSlots,
  givenSlots,
  type InputRange,
  inputRanges,
  layOutShard,
  type ShardLayout,
} from "./shard-layout.ts";
import { findTarget, type OutputTarget } from "./staging.ts";
import type { InputSource, Storage, StorageMode } from "./storage.ts";
import { streamInputs } from "./stream-inputs.ts";
import { givenUp } from "./task-error.ts";
import type { ShardResult, VariantTask } from "./thread-protocol.ts";
import type { WorkerMetrics } from "./worker-metrics.ts";

/** What a block of memory holds of a shard. */
export interface LoadedShard {
  readonly id: number;
  readonly layout: ShardLayout;
  readonly slots: ReadonlySet<number> | "all";
  /** Bytes of memory the shard needs, by variant. */
  readonly bytes: Map<string, number>;
  /** Slots whose inputs are in memory. */
  readonly loaded: Set<number>;
  /** Which values are in those of them that are given. */
  readonly given: Map<number, string>;
}

export interface LeaseRunner {
  /**
   * Starts a lease and resolves to its report; never rejects. Undefined: there is no memory for it now.
   * When `signal` aborts the report has code cancelled, and nothing of the lease is kept.
   * @param onFreed called when its memory is free for others, which may be long before its result is put away
   */
  start(lease: Lease, signal: AbortSignal, onFreed: () => void): Promise<LeaseReport> | undefined;
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
  /** Who holds estimates. */
  readonly holders: ClientPool<typeof ShardService>;
  readonly storage: Storage;
  readonly outputs: OutputFiles;
  readonly storageMode: StorageMode;
  readonly metrics: WorkerMetrics;
}

export function createLeaseRunner(parts: LeaseRunnerParts): LeaseRunner {
  const { coordinator, compute, memory, held, holders, storage, outputs, storageMode, metrics } = parts;
  const forgotten = new WeakSet<Lease>();
  const running = new Set<Lease>();
  let nextShardId = 1;

  /**
   * Brings the shard's missing inputs into memory: from files that can be read here, and the rest streamed. Resolves to false when
   * only what the task looks at was read.
   */
  const bringInputs = async (
    lease: Lease,
    { memory, contents }: MemoryBlock<LoadedShard>,
    missing: ReadonlySet<number>,
    sampled: readonly InputRange[] | undefined,
    signal: AbortSignal,
  ): Promise<boolean> => {
    const ranges = inputRanges(contents!.layout, missing);
    if (ranges.length === 0) return true;
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
    const streamed = ranges.filter(({ file }) => !sources.has(file));
    // Elsewhere a short read costs as much as a long one.
    const isNear = streamed.length === 0 && lease.files.every(({ version }) => version === "");
    const sample = isNear ? sampled : undefined;
    if (direct.length > 0) {
      const bytes = await readInputs(new Uint8Array(memory.buffer), sample ?? direct, sources, signal);
      metrics.inputBytes("direct", bytes);
    }
    if (streamed.length > 0) {
      const source = { coordinator, jobId: lease.jobId, files: lease.files };
      metrics.inputBytes("stream", await streamInputs(source, streamed, memory, signal));
    }
    metrics.phase("read", performance.now() - started);
    return sample === undefined;
  };

  /** Given inputs that the task reads and that other values lie in place of. */
  const staleGiven = (lease: Lease, variant: VariantTask, { layout, given }: LoadedShard): GivenInput[] => {
    const wanted = givenSlots(layout, neededSlots(lease, variant));
    return [...wanted].flatMap((slot) => {
      const found = lease.candidate!.given.find((each) => each.slot === slot);
      if (found === undefined) throw new AmalgamError("internal", `the lease lacks the values of input ${slot}`);
      return given.get(slot) === givenText(found) ? [] : [found];
    });
  };

  const bringGiven = async (
    lease: Lease,
    { memory, contents }: MemoryBlock<LoadedShard>,
    stale: readonly GivenInput[],
    signal: AbortSignal,
  ): Promise<void> => {
    const { layout, loaded, given } = contents!;
    const started = performance.now();
    const placing = stale.map(async (input) => {
      loaded.delete(input.slot);
      given.delete(input.slot);
      const source = { holders, jobId: lease.jobId };
      metrics.inputBytes("estimate", await placeGiven(input, layout, memory, source, signal));
      loaded.add(input.slot);
      given.set(input.slot, givenText(input));
    });
    // Nothing may write into the memory after it was given back.
    const placed = await Promise.allSettled(placing);
    for (const each of placed) if (each.status === "rejected") throw each.reason;
    metrics.phase("read", performance.now() - started);
  };

  const execute = async (
    lease: Lease,
    block: MemoryBlock<LoadedShard>,
    variant: VariantTask,
    place: boolean,
    signal: AbortSignal,
  ): Promise<ComputeAnswer> => {
    const shard = block.contents!;
    const task = shardTask(lease, variant, place);
    const stale = staleGiven(lease, variant, shard);
    if (stale.length > 0) await bringGiven(lease, block, stale, signal);
    const missing = neededSlots(lease, variant).difference(shard.loaded);
    const sampled = missing.size === 0 ? undefined : sampledRanges(task, variant, shard.layout, missing);
    const isWhole = await bringInputs(lease, block, missing, sampled, signal);
    const derive = derivedSlots(shard.layout, missing);
    if (isWhole) for (const slot of missing.difference(derive)) shard.loaded.add(slot);
    const answer = await compute.run(
      {
        shard: {
          id: shard.id,
          memory: block.memory,
          layout: shard.layout,
          keepsInputs: lease.keepInputs,
          inputFiles: lease.files.map(({ path }) => path),
        },
        derive: isWhole ? derive : new Set(),
        task,
      },
      { signal },
    );
    if (isWhole) for (const slot of derive) shard.loaded.add(slot);
    if (signal.aborted) throw givenUp();
    metrics.answered(answer);
    return answer;
  };

  /** Writes a merged shard to its offsets. Resolves when its bytes are needed no more, with a promise that they are on the disk. */
  const write = async (lease: Lease, ranges: readonly OutputRange[]): Promise<{ readonly flushed: Promise<void> }> => {
    const started = performance.now();
    const bytes = byteCount(ranges);
    await outputs.write(lease.jobId, ranges);
    const flushed = outputs.flush(lease.jobId, ranges).then(() => metrics.written(bytes, performance.now() - started));
    return { flushed };
  };

  /** The block is free again as soon as nothing is read from it any more; putting the result away may take longer. */
  const run = async (
    lease: Lease,
    block: MemoryBlock<LoadedShard>,
    variant: VariantTask,
    signal: AbortSignal,
    onFreed: () => void,
  ): Promise<LeaseReport> => {
    const { layout } = block.contents!;
    let answer: ComputeAnswer;
    let flushed: Promise<void> | undefined;
    try {
      const target = lease.task.case === "write" ? await findTarget(lease.task.value, storageMode) : undefined;
      answer = await execute(lease, block, variant, target !== undefined, signal);
      if (target !== undefined) {
        ({ flushed } = await write(lease, outputRanges(layout, block.memory, answer.result, target)));
      }
    } finally {
      running.delete(lease);
      release(lease, block, variant);
      onFreed();
    }
    await flushed;
    const done = await report(lease, answer.result, flushed !== undefined, held);
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
    const layout = fits ? resident.layout : layOutShard(lease.shard!, slots, lease.task.case === "write");
    const sizes = fits ? resident.bytes : new Map<string, number>();
    const variantKey = JSON.stringify(variant);
    const bytes = sizes.get(variantKey) ?? layout.scratchAddress + scratchBytes(variant, layout);
    sizes.set(variantKey, bytes);
    const workBytes = bytes - layout.inputBytes - (layout.placesOutput ? layout.outputBytes : 0);
    const block = memory.acquire(key, bytes, Number(lease.largestShardBytes) + workBytes);
    if (block === undefined || block.contents?.layout === layout) return block;
    if (block.contents !== undefined) compute.forget(block.contents.id);
    block.contents = { id: nextShardId++, layout, slots, bytes: sizes, loaded: new Set(), given: new Map() };
    return block;
  };

  return {
    start(lease, signal, onFreed) {
      const failed = (error: unknown): LeaseReport => {
        const { code, message } = toAmalgamError(error);
        metrics.attempt(lease, code === "cancelled" ? "cancelled" : "failed");
        const lost = error instanceof GivenInputLost ? [...error.lost] : [];
        return { case: "leaseFailed", value: { leaseId: lease.leaseId, code, message, lost } };
      };
      try {
        const variant = variantOf(lease);
        const block = reserve(lease, variant);
        if (block === undefined) return undefined;
        running.add(lease);
        return run(lease, block, variant, signal, onFreed).then((done) => {
          metrics.attempt(lease, "done");
          return done;
        }, failed);
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
      void outputs.forget(jobId);
      memory.forget(keyPrefix(jobId));
    },
  };
}

const keyPrefix = (jobId: string): string => `${jobId}\u0000`;
const shardKey = (lease: Lease): string => `${keyPrefix(lease.jobId)}${lease.shard!.index}`;

/** Where the merged bytes of each segment lie, and where they go. */
function outputRanges(
  { segments }: ShardLayout,
  memory: SharedMemory,
  result: ShardResult,
  { files }: OutputTarget,
): OutputRange[] {
  const bytes = result.kind === "held" ? result.bytes : new Uint8Array(memory.buffer);
  let at = 0;
  return segments.map(({ outputFile, outputOffset, outputBytes, outputAddress }) => {
    const begin = result.kind === "held" ? at : outputAddress!;
    at += outputBytes;
    return { path: files[outputFile]!, offset: outputOffset, bytes: bytes.subarray(begin, begin + outputBytes) };
  });
}
