// How long a lease takes on this machine: done once in the calling thread, for an estimate. Nothing is kept.
import { createMemory } from "@amalgam/kernels";
import type { Lease } from "@amalgam/proto";
import { fillGiven } from "./given-inputs.ts";
import { neededSlots, shardTask, variantOf } from "./lease-messages.ts";
import { scratchBytes } from "./programs.ts";
import { readInputs } from "./read-inputs.ts";
import { createShardCompute, type ShardCompute } from "./shard-compute.ts";
import { derivedSlots, inputRanges, layOutShard } from "./shard-layout.ts";
import { createStorage, type InputSource } from "./storage.ts";

export interface LeaseTiming {
  /** Bytes that were read, which took `readMs`. */
  readonly readBytes: number;
  readonly readMs: number;
  /** Of one thread. */
  readonly computeMs: number;
}

/** @throws AmalgamError, TaskError like a worker that is given the lease */
export async function timeLease(lease: Lease, signal: AbortSignal): Promise<LeaseTiming> {
  const variant = variantOf(lease);
  const slots = neededSlots(lease, variant);
  const layout = layOutShard(lease.shard!, slots, false);
  const memory = createMemory(layout.scratchAddress + scratchBytes(variant, layout));
  await using storage = createStorage("direct", () => undefined);
  const ranges = inputRanges(layout, slots);
  const sources = new Map<number, InputSource>();
  for (const index of new Set(ranges.map(({ file }) => file)))
    sources.set(index, (await storage.locate("", index, lease.files[index]!))!);
  let started = performance.now();
  const elapsedMs = (): number => performance.now() - started;
  const readBytes = await readInputs(new Uint8Array(memory.buffer), ranges, sources, signal);
  const readMs = elapsedMs();
  for (const { slot, constant } of lease.candidate?.given ?? []) fillGiven(layout, memory, slot, constant);
  const inputFiles = lease.files.map(({ path }) => path);
  const checkpoint = (): void => signal.throwIfAborted();
  const shard = { id: 0, memory, layout, keepsInputs: false, inputFiles };
  // Anew for each task: statistics of whole tensors are kept.
  const compute = (): ShardCompute => createShardCompute(shard, undefined);
  started = performance.now();
  // Once: it works in place.
  compute().derive(derivedSlots(layout, slots), checkpoint);
  const deriveMs = elapsedMs();
  const run = (): void => void compute().run(shardTask(lease, variant, false), checkpoint);
  // The first time, kernels are compiled.
  run();
  started = performance.now();
  run();
  return { readBytes, readMs, computeMs: deriveMs + elapsedMs() };
}
