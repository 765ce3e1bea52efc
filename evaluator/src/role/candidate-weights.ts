// A candidate's weights, assembled from merged shards: views of the shards' bytes where a tensor lies in one piece, a copy
// where it was cut. Pure.
import { dtypeBytes, isDType } from "@amalgam/checkpoint";
import type { ShardLayout, ShardLocation } from "@amalgam/proto";
import type { Weights, WeightTensor } from "../weights.ts";

/**
 * @param layouts how each shard's bytes are divided, by shard
 * @param locations the shards in the order of `shards`
 */
export function candidateWeights(
  layouts: ReadonlyMap<number, ShardLayout>,
  locations: readonly ShardLocation[],
  shards: readonly Uint8Array[],
): Weights {
  const tensors = new Map<string, WeightTensor>();
  for (const [index, { shard, sha256 }] of locations.entries()) {
    const bytes = shards[index]!;
    let at = 0;
    for (const [position, segment] of (layouts.get(shard)?.segments ?? []).entries()) {
      const { tensor: name, dtype } = segment;
      if (!isDType(dtype)) throw new Error(`tensor "${name}": unknown dtype ${dtype}`);
      const elementBytes = dtypeBytes(dtype);
      const length = Number(segment.elements) * elementBytes;
      const piece = bytes.subarray(at, at + length);
      if (piece.length !== length) throw new Error(`shard ${shard} is shorter than its layout`);
      at += length;
      const shape = segment.shape.map(Number);
      const elements = shape.reduce((product, size) => product * size, 1);
      if (Number(segment.elements) === elements) {
        tensors.set(name, { dtype, shape, bytes: piece, digest: `${sha256}/${position}` });
        continue;
      }
      const whole = tensors.get(name) ?? { dtype, shape, bytes: new Uint8Array(elements * elementBytes) };
      whole.bytes.set(piece, Number(segment.firstElement) * elementBytes);
      tensors.set(name, whole);
    }
  }
  return { get: (name) => tensors.get(name), names: () => tensors.keys() };
}
