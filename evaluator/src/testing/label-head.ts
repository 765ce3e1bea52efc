/** A classifier's head for tests of gradients: that of Fisher information masks labels, so that all tasks of a model share a program. */

import { int } from "../graph/attributes.ts";
import type { Value } from "../graph/builder.ts";
import type { BuiltModel } from "../graph/families/family.ts";

/** log p(label | item) within the labels `[offset, offset + labels)`: `[items, labels]`, not yet an output. */
export function labelLogLikelihood(
  { graph: g, logits }: BuiltModel,
  { offset, labels }: { readonly offset: number; readonly labels: number },
): Value {
  const slice = g.op("Slice", [logits, g.int64s(offset), g.int64s(offset + labels), g.int64s(1)]);
  return g.op("LogSoftmax", [slice], { axis: int(-1) });
}
