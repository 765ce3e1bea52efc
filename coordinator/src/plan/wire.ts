/** Plan pieces as wire messages: variants for shard workers, layouts for evaluators. */

import { type ShardLayout, ShardLayoutSchema, type Variant, VariantSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import type { Plan, PlannedVariant } from "./types.ts";

export function variantMessage({ variant, slots }: PlannedVariant): Variant {
  const options = Object.entries(variant.options).map(([name, value]) => [name, JSON.stringify(value)] as const);
  return create(VariantSchema, {
    method: variant.merge.method,
    hasBase: variant.base !== undefined,
    models: variant.merge.models.length,
    slots: [...slots],
    options: Object.fromEntries(options),
  });
}

/** Per shard, the segments in the order in which a worker streams their bytes. */
export function evaluationLayout(plan: Plan): ShardLayout[] {
  return plan.shards.map(({ index, segments }) =>
    create(ShardLayoutSchema, {
      shard: index,
      segments: segments.map(({ tensor, shape, outputDtype, firstElement, elements }) => ({
        tensor,
        shape,
        dtype: outputDtype,
        firstElement,
        elements,
      })),
    }),
  );
}
