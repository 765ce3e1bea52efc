// ShardService: streams the shards that this process holds, merged by a worker or estimated by an evaluator, to whoever needs them.
import type { ShardService } from "@amalgam/proto";
import { AmalgamError } from "./errors.ts";
import type { HeldShards } from "./held-shards.ts";
import { CHUNK_BYTES, type ServiceImpl } from "./rpc-wire.ts";

export function createShardService(held: Pick<HeldShards, "read">): ServiceImpl<typeof ShardService> {
  return {
    async *fetchShard({ jobId, shard, sha256 }) {
      const chunks = held.read(jobId, shard, sha256, CHUNK_BYTES);
      if (chunks === undefined) {
        throw new AmalgamError("not_found", `job ${jobId}: no shard ${shard} with digest ${sha256} is held here`);
      }
      for await (const data of chunks) yield { data };
    },
  };
}
