/** A lease that is never given to a worker: one shard of the plan's own merge, to see how long it takes on a machine. */
import { GivenInputSchema, type Lease, LeaseSchema, StatisticValueSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import { searchDimensions } from "../recipe/index.ts";
import { scalarRows } from "./scalars.ts";
import type { Plan } from "./types.ts";
import { variantMessage } from "./wire.ts";

/**
 * The shard is one of middling size, if possible one whose tensors are whole: their statistics are found as in the merge. Those
 * that span shards are given as ones: what is merged is worthless, the time it takes is not. Coefficients that are searched
 * stand in the middle of their range.
 */
export function trialLease(plan: Plan): Lease | undefined {
  const [planned] = plan.variants;
  const shard = trialShard(plan);
  if (planned === undefined || shard === undefined) return undefined;
  const middle = searchDimensions(plan.recipe).map(({ name, low, high }) => [name, (low + high) / 2] as const);
  const tensors = plan.shardTensors[shard]!.map((index) => plan.tensors[index]!);
  const statistics = planned.groups.flatMap(({ graph }, group) =>
    graph.stages.flatMap(({ scope, outputs }, statistic) =>
      (scope === "model" ? [""] : tensors.filter(isCut).map(({ name }) => name)).map((tensor) =>
        create(StatisticValueSchema, { group, statistic, tensor, values: outputs.map(() => 1) }),
      ),
    ),
  );
  return create(LeaseSchema, {
    shard: plan.shards[shard]!,
    files: [...plan.files],
    candidate: {
      variant: variantMessage(planned),
      scalars: scalarRows(plan, planned, Object.fromEntries(middle))(shard),
      statistics,
      given: plan.slots.flatMap(({ given }, slot) => (given ? [create(GivenInputSchema, { slot, constant: 1 })] : [])),
    },
    task: { case: "merge", value: {} },
  });
}

const isCut = ({ firstShard, lastShard }: { firstShard: number; lastShard: number }): boolean => firstShard < lastShard;

function trialShard({ shardSizes, shardTensors, tensors }: Plan): number | undefined {
  const merged = shardSizes
    .map(({ inputBytes }, shard) => ({ shard, inputBytes, of: shardTensors[shard]!.map((index) => tensors[index]!) }))
    .filter(({ of }) => of.some(({ action }) => action === "merge"));
  const whole = merged.filter(({ of }) => !of.some(isCut));
  const candidates = (whole.length > 0 ? whole : merged).toSorted((a, b) => a.inputBytes - b.inputBytes);
  return candidates[candidates.length >> 1]?.shard;
}
