// ShardService: streams the merged shards that this worker holds to evaluators and the coordinator.
import type { ShardService } from "@amalgam/proto";
import { AmalgamError, CHUNK_BYTES, type ServiceImpl } from "@amalgam/runtime";
import type { HeldShards } from "./held-shards.ts";

export function createShardService(held: Pick<HeldShards, "find">): ServiceImpl<typeof ShardService> {
  return {
    async *fetchShard({ jobId, shard, sha256 }) {
      const bytes = held.find(jobId, shard, sha256);
      if (bytes === undefined) {
        throw new AmalgamError(
          "not_found",
          `job ${jobId}: this worker holds no merged shard ${shard} with digest ${sha256}`,
        );
      }
      for (let offset = 0; offset < bytes.byteLength; offset += CHUNK_BYTES) {
        yield { data: bytes.subarray(offset, offset + CHUNK_BYTES) };
      }
    },
  };
}
