// Merged shards by digest: fetched from the workers that hold them, checked, kept while memory allows.
import type { ShardLocation, ShardService } from "@amalgam/proto";
import { type ClientPool, receiveShard } from "@amalgam/runtime";

/** Shards that could not be had from where they were said to be. */
export class ShardsLostError extends Error {
  override readonly name = "ShardsLostError";
  readonly shards: readonly number[];

  constructor(shards: readonly number[], cause: unknown) {
    super(`shards ${shards.join(", ")} could not be fetched: ${(cause as Error).message}`, { cause });
    this.shards = shards;
  }
}

export interface MergedShards {
  /**
   * The bytes of each location, in order.
   * @throws ShardsLostError naming all that could not be fetched or arrived with other bytes; the signal's reason
   */
  fetch(jobId: string, locations: readonly ShardLocation[], signal: AbortSignal): Promise<Uint8Array[]>;
  readonly heldBytes: number;
}

/** @param cacheBytes shards beyond this are dropped, the one unused for longest first */
export function createMergedShards(workers: ClientPool<typeof ShardService>, cacheBytes: number): MergedShards {
  const cache = new Map<string, Uint8Array>();
  let heldBytes = 0;

  const keep = (sha256: string, bytes: Uint8Array): void => {
    heldBytes += bytes.length;
    cache.set(sha256, bytes);
    for (const [oldest, dropped] of cache) {
      if (heldBytes <= cacheBytes) break;
      cache.delete(oldest);
      heldBytes -= dropped.length;
    }
  };

  const fetchOne = async (jobId: string, location: ShardLocation, signal: AbortSignal): Promise<Uint8Array> => {
    const { sha256 } = location;
    const known = cache.get(sha256);
    if (known !== undefined) {
      cache.delete(sha256);
      cache.set(sha256, known);
      return known;
    }
    const bytes = new Uint8Array(Number(location.byteLength));
    await receiveShard(workers, jobId, location, (data, offset) => bytes.set(data, offset), signal);
    keep(sha256, bytes);
    return bytes;
  };

  return {
    async fetch(jobId, locations, signal) {
      const results = await Promise.allSettled(locations.map((location) => fetchOne(jobId, location, signal)));
      signal.throwIfAborted();
      const lost: number[] = [];
      let cause: unknown;
      for (const [index, result] of results.entries()) {
        if (result.status === "fulfilled") continue;
        lost.push(locations[index]!.shard);
        cause ??= result.reason;
      }
      if (lost.length > 0) throw new ShardsLostError(lost, cause);
      return results.map((result) => (result as PromiseFulfilledResult<Uint8Array>).value);
    },
    get heldBytes() {
      return heldBytes;
    },
  };
}
