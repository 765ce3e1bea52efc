/** T5's relative positions (Raffel et al., 2020, section 2.1): a learned number for each head and each bucket of distances, added to the scores. */

import { int, ints } from "./attributes.ts";
import type { GraphBuilder, Value } from "./builder.ts";
import { embedding } from "./layers.ts";

export interface Buckets {
  readonly count: number;
  /** From this distance on all keys are in one bucket. */
  readonly maxDistance: number;
  /** Whether keys after the query have buckets of their own: half of them. Otherwise they share the bucket of distance 0. */
  readonly bidirectional: boolean;
}

/**
 * The bucket of a key `distance` tokens after its query (before it where negative): one for each small distance, and from half of the buckets
 * on, one for each range of a logarithmic scale. In float32 steps, as PyTorch computes it: some distances lie on a border.
 */
export function bucketOf(distance: number, { count, maxDistance, bidirectional }: Buckets): number {
  const buckets = bidirectional ? Math.floor(count / 2) : count;
  const first = bidirectional && distance > 0 ? buckets : 0;
  const far = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(buckets / 2);
  if (far < exact) return first + far;
  const { fround, log } = Math;
  const share = fround(fround(log(fround(far / exact))) / fround(log(maxDistance / exact)));
  return first + Math.min(exact + Math.trunc(fround(share * (buckets - exact))), buckets - 1);
}

/** The bias of queries and keys at these places of a text, int64 `[q]` and `[k]`: `[heads, q, k]`, from the table `NAME.weight` `[buckets, heads]`. */
export function relativeBias(
  g: GraphBuilder,
  { queries, keys }: { readonly queries: Value; readonly keys: Value },
  name: string,
  buckets: Buckets,
  heads: number,
): Value {
  const { count, maxDistance } = buckets;
  const distances = Array.from({ length: 2 * maxDistance + 1 }, (_, i) => i - maxDistance);
  const table = g.int64s(...distances.map((distance) => bucketOf(distance, buckets)));
  const distance = g.op("Sub", [g.op("Unsqueeze", [keys, g.int64s(0)]), g.op("Unsqueeze", [queries, g.int64s(1)])]);
  const near = g.op("Clip", [distance, g.int64(-maxDistance), g.int64(maxDistance)]);
  const bucket = g.op("Gather", [table, g.op("Add", [near, g.int64(maxDistance)])], { axis: int(0) });
  return g.op("Transpose", [embedding(g, bucket, name, count, heads)], { perm: ints(2, 0, 1) });
}
