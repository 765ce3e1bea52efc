/**
 * Cuts tensors into segments and gathers contiguous runs of them into shards of about equal input bytes. Where it cuts has no influence on
 * the merged bytes: cuts lie on multiples of the block in which the kernels accumulate sums, and of rows where a method has row statistics.
 */
import { BLOCK_ELEMENTS } from "@amalgam/kernels";

/** What cutting needs to know of a tensor. */
export interface Cuttable {
  readonly elements: number;
  /** Input bytes of one element over all slots. */
  readonly bytesPerElement: number;
  /** Cuts fall on multiples of this many elements. */
  readonly unitElements: number;
}

/** A run of elements of one tensor. */
export interface Cut {
  /** Index of the tensor. */
  readonly tensor: number;
  readonly firstElement: number;
  readonly elements: number;
}

/** Input bytes of shards: what they are filled up to, and what a tensor may have that is not cut. */
export interface ShardLimits {
  readonly shardBytes: number;
  readonly wholeTensorBytes: number;
}

const MIB = 1024 * 1024;
const DEFAULT_SHARDS = 8;

/**
 * An eighth of the job, so that a few workers have enough shards to share, within what a worker likes to hold. A tensor with
 * statistics of its own stays whole up to twice that: a worker finds them by itself, with the inputs in memory.
 */
export function defaultLimits(inputBytes: number, hasTensorStatistics: boolean): ShardLimits {
  const shardBytes = Math.min(64 * MIB, Math.max(MIB, Math.ceil(inputBytes / DEFAULT_SHARDS)));
  return { shardBytes, wholeTensorBytes: hasTensorStatistics ? 2 * shardBytes : shardBytes };
}

/** Elements that a cut must be a multiple of. `rowElements` is given when rows must stay whole. */
export function unitElements(rowElements: number | undefined): number {
  if (rowElements === undefined || rowElements === 0) return BLOCK_ELEMENTS;
  let [a, b] = [BLOCK_ELEMENTS, rowElements];
  while (b !== 0) [a, b] = [b, a % b];
  return (BLOCK_ELEMENTS / a) * rowElements;
}

/**
 * Shards of at most `shardBytes` input bytes, in tensor order; a shard holds more only when a single unit or a whole tensor does. Every
 * element of every tensor is in exactly one segment. Tensors without elements have no segment.
 */
export function cutIntoShards(tensors: readonly Cuttable[], limits: ShardLimits): Cut[][] {
  const { shardBytes } = limits;
  const segments = tensors.flatMap((tensor, index) => cutTensor(tensor, index, limits));
  const bytesOf = ({ tensor, elements }: Cut): number => elements * (tensors[tensor] as Cuttable).bytesPerElement;
  let remaining = segments.reduce((sum, segment) => sum + bytesOf(segment), 0);
  const shards: Cut[][] = [];
  let shard: Cut[] = [];
  let filled = 0;
  // What is left, divided evenly over the shards that it needs: aiming at `shardBytes` would leave a small last one.
  const aim = (): number => remaining / Math.max(1, Math.ceil(remaining / shardBytes));
  let target = aim();
  for (const segment of segments) {
    const bytes = bytesOf(segment);
    const full = filled + bytes > shardBytes || filled + bytes / 2 > target;
    if (shard.length > 0 && full) {
      shards.push(shard);
      shard = [];
      remaining -= filled;
      filled = 0;
      target = aim();
    }
    shard.push(segment);
    filled += bytes;
  }
  if (shard.length > 0) shards.push(shard);
  return shards;
}

function cutTensor(
  { elements, bytesPerElement, unitElements: unit }: Cuttable,
  tensor: number,
  { shardBytes, wholeTensorBytes }: ShardLimits,
): Cut[] {
  if (elements === 0) return [];
  const units = Math.ceil(elements / unit);
  const mostUnits = Math.max(1, Math.floor(shardBytes / (bytesPerElement * unit)));
  if (elements * bytesPerElement <= wholeTensorBytes || units === 1) return [{ tensor, firstElement: 0, elements }];
  const pieces = Math.ceil(units / mostUnits);
  const pieceElements = Math.ceil(units / pieces) * unit;
  const cuts: Cut[] = [];
  for (let first = 0; first < elements; first += pieceElements) {
    cuts.push({ tensor, firstElement: first, elements: Math.min(pieceElements, elements - first) });
  }
  return cuts;
}
