/** Fetches a shard from whoever holds it, piece by piece, and holds it to its digest and length. */
import { createHash } from "node:crypto";
import type { ShardLocation, ShardService } from "@amalgam/proto";
import { AmalgamError } from "./errors.ts";
import type { ClientPool } from "./rpc-pool.ts";

/**
 * Hands each piece to `take` as it arrives, with its offset in the shard. What was taken counts for nothing until the promise
 * resolves: only then all bytes are known to be the right ones.
 * @throws AmalgamError data_loss when other bytes arrive than the location says, and what the call throws
 */
export async function receiveShard(
  holders: ClientPool<typeof ShardService>,
  jobId: string,
  { shard, sha256, byteLength, address }: Pick<ShardLocation, "shard" | "sha256" | "byteLength" | "address">,
  take: (data: Uint8Array, offset: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const length = Number(byteLength);
  const digest = createHash("sha256");
  let offset = 0;
  for await (const { data } of holders.get(address).fetchShard({ jobId, shard, sha256 }, { signal })) {
    if (offset + data.length > length) throw differs(shard, `more than its ${length} bytes arrived`);
    digest.update(data);
    take(data, offset);
    offset += data.length;
  }
  if (offset !== length) throw differs(shard, `${offset} of ${length} bytes arrived`);
  const found = digest.digest("hex");
  if (found !== sha256) throw differs(shard, `its sha256 is ${found}, not ${sha256}`);
}

const differs = (shard: number, how: string): AmalgamError => new AmalgamError("data_loss", `shard ${shard}: ${how}`);
