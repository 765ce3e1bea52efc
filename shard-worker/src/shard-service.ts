// ShardService: streams the merged shards that this worker holds to evaluators and the coordinator.
import type { ShardService } from "@amalgam/proto";
import { AmalgamError, CHUNK_BYTES, type ServiceImpl } from "@amalgam/runtime";
import type { HeldShards } from "./held-shards.ts";

export function createShardService(held: Pick<HeldShards, "read">): ServiceImpl<typeof ShardService> {
  return {
    async *fetchShard({ jobId, shard, sha256 }) {
      const chunks = held.read(jobId, shard, sha256, CHUNK_BYTES);
      if (chunks === undefined) {
        throw new AmalgamError(
          "not_found",
          `job ${jobId}: this worker holds no merged shard ${shard} with digest ${sha256}`,
        );
      }
      for await (const data of chunks) yield { data };
    },
  };
}
