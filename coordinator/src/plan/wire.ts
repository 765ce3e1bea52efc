/** Plan pieces as wire messages: variants for shard workers, layouts for evaluators. */

import { createHash } from "node:crypto";
import { buildGraph, graphText } from "@amalgam/kernels";
import {
  type MergeGroup,
  MergeGroupSchema,
  type ShardLayout,
  ShardLayoutSchema,
  type Variant,
  VariantSchema,
} from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import type { Plan, PlannedGroup, PlannedVariant } from "./types.ts";

export const variantMessage = ({ groups }: PlannedVariant): Variant =>
  create(VariantSchema, { groups: groups.map(groupMessage) });

const digests = new WeakMap<PlannedGroup, string>();

function graphDigest(group: PlannedGroup): string {
  const { working: _, ...spec } = group.spec;
  const known =
    digests.get(group) ??
    createHash("sha256")
      .update(graphText(buildGraph(spec)))
      .digest("hex");
  digests.set(group, known);
  return known;
}

function groupMessage(group: PlannedGroup): MergeGroup {
  const { spec, slots } = group;
  const { method, hasBase, models, masks, working = "" } = spec;
  const options = Object.entries(spec.options).map(([name, value]) => [name, JSON.stringify(value)] as const);
  return create(MergeGroupSchema, {
    method,
    hasBase,
    models,
    slots: [...slots],
    options: Object.fromEntries(options),
    ...(masks === undefined ? {} : { masks }),
    working,
    graphSha256: graphDigest(group),
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
