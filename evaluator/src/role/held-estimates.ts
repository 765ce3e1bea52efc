// The estimates that this evaluator made, held for the shard workers that merge with them. Within a budget the newest ones are kept, as
// later candidates may need them again; those that are still needed are kept whatever they take, on the disk beyond the budget.
import { createHash } from "node:crypto";
import type { ShardLocation, ShardService } from "@amalgam/proto";
import { createHeldShards, createShardService, type HeldShardsOptions, type ServiceImpl } from "@amalgam/runtime";

export interface EstimateShard {
  readonly shard: number;
  readonly bytes: Uint8Array;
}

/** One part of an estimate as its holder answers for it. */
export interface HeldEstimate {
  readonly items: number;
  readonly seconds: number;
  readonly shards: readonly Omit<ShardLocation, "$typeName" | "$unknown">[];
}

export interface EstimateName {
  readonly jobId: string;
  readonly estimateId: string;
  /** Names the exact values: of which weights, items and estimator. */
  readonly key: string;
}

/** Disposing lets go of all. */
export interface HeldEstimates extends AsyncDisposable {
  readonly service: ServiceImpl<typeof ShardService>;
  get(name: EstimateName): HeldEstimate | undefined;
  /**
   * @param inUse estimates of the job that are still needed
   * @throws AmalgamError resource_exhausted when neither memory nor the disk has room for what is needed
   */
  hold(
    name: EstimateName,
    about: { readonly items: number; readonly seconds: number },
    shards: Iterable<EstimateShard>,
    inUse: readonly string[],
  ): Promise<HeldEstimate>;
  readonly memoryBytes: number;
  readonly fileBytes: number;
}

interface Entry extends EstimateName, HeldEstimate {
  readonly bytes: number;
}

/** Jobs whose needs are remembered; evaluations of one come one after another. */
const JOBS = 2;

/** @param address where `service` is served for others */
export function createHeldEstimates(address: string, options: HeldShardsOptions): HeldEstimates {
  const held = createHeldShards(options);
  /** The one unused for longest first. */
  const entries = new Map<string, Entry>();
  const needs = new Map<string, ReadonlySet<string>>();
  const nameOf = ({ jobId, estimateId, key }: EstimateName): string => JSON.stringify([jobId, estimateId, key]);

  const isNeeded = ({ jobId, estimateId }: Entry): boolean => needs.get(jobId)?.has(estimateId) ?? false;
  const makeRoom = (): void => {
    let bytes = entries.values().reduce((sum, entry) => sum + entry.bytes, 0);
    for (const [name, entry] of entries) {
      if (bytes <= options.memoryBytes) return;
      if (isNeeded(entry)) continue;
      entries.delete(name);
      held.drop(entry.jobId, [name]);
      bytes -= entry.bytes;
    }
  };

  return {
    service: createShardService(held),
    get(name) {
      const id = nameOf(name);
      const entry = entries.get(id);
      if (entry === undefined) return undefined;
      entries.delete(id);
      entries.set(id, entry);
      return entry;
    },
    async hold(name, about, shards, inUse) {
      const { jobId } = name;
      needs.delete(jobId);
      needs.set(jobId, new Set(inUse));
      for (const oldest of [...needs.keys()].slice(0, Math.max(0, needs.size - JOBS))) needs.delete(oldest);
      const candidateId = nameOf(name);
      const locations: HeldEstimate["shards"][number][] = [];
      try {
        for (const { shard, bytes } of shards) {
          const sha256 = createHash("sha256").update(bytes).digest("hex");
          await held.hold({ jobId, shard, candidateId, sha256 }, bytes);
          locations.push({ shard, sha256, byteLength: BigInt(bytes.length), address });
        }
      } catch (error) {
        held.drop(jobId, [candidateId]);
        throw error;
      }
      const bytes = locations.reduce((sum, { byteLength }) => sum + Number(byteLength), 0);
      const entry = { ...name, ...about, shards: locations, bytes };
      entries.set(candidateId, entry);
      makeRoom();
      return entry;
    },
    get memoryBytes() {
      return held.memoryBytes;
    },
    get fileBytes() {
      return held.fileBytes;
    },
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  };
}
