// `artefact.json` of a job whose method makes an artefact: its tasks, and their scales from the statistics of the merge.
import { artefactText } from "@amalgam/checkpoint";
import { scaleValues } from "@amalgam/kernels";
import { scalarsByName } from "../plan/index.ts";
import type { GroupStatistic } from "./merge-candidate.ts";
import type { PreparedJob } from "./prepared-job.ts";

/** Scales depend on statistics over the whole model only, which the coordinator has. */
export function artefactDescription(
  { plan }: PreparedJob,
  statistics: readonly GroupStatistic[],
  baseDigest: string,
): string {
  const planned = plan.variants[0]!;
  const vector = planned.groups[0]!;
  const { graph } = vector;
  const first = plan.tensors.findIndex(({ group }) => group === 0);
  const results = statistics
    .filter(({ group, tensor }) => group === 0 && tensor === "")
    .flatMap(({ stage, values }) => graph.stages[stage]!.outputs.map((name, i) => [name, values[i]!] as const));
  const scalars = { ...scalarsByName(plan, planned)(first), ...Object.fromEntries(results) };
  const scales = scaleValues(graph, scalars);
  const { models } = planned.variant.merge;
  return artefactText({
    method: graph.method.name,
    tasks: models.map(({ name }, i) => ({ name, scale: scales[i]! })),
    baseDigest,
    exclude: plan.recipe.exclude,
  });
}
