// An estimate cut like the model it is of: for each shard the float32 values of its segments, one after another. Pure.
import type { ShardLayout } from "@amalgam/proto";
import type { EstimateShard } from "./held-estimates.ts";

/**
 * Shard by shard, so that one at a time is in memory beside the estimate.
 * @param wanted the tensors that are merged with their importance; shards without any are left out
 * @param tensors by name; of a tensor that the model does not read the importance is 0
 */
export function* estimateShards(
  layouts: Iterable<ShardLayout>,
  wanted: ReadonlySet<string>,
  tensors: ReadonlyMap<string, Float32Array>,
): Generator<EstimateShard> {
  for (const { shard, segments } of layouts) {
    const own = segments.filter(({ tensor }) => wanted.has(tensor));
    const elements = own.reduce((sum, segment) => sum + Number(segment.elements), 0);
    if (elements === 0) continue;
    const values = new Float32Array(elements);
    let at = 0;
    for (const { tensor, firstElement, elements: count } of own) {
      const first = Number(firstElement);
      const whole = tensors.get(tensor);
      if (whole !== undefined) values.set(whole.subarray(first, first + Number(count)), at);
      at += Number(count);
    }
    yield { shard, bytes: new Uint8Array(values.buffer) };
  }
}
