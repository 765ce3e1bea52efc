// Which kernels a shard needs: one program per combination of dtypes among its segments. Names no method.
import { buildProgram, type GraphSpec, isProgramDType, isWorkingDType, type Program } from "@amalgam/kernels";
import type { SegmentPlan, ShardLayout } from "./shard-layout.ts";
import { TaskError } from "./task-error.ts";
import type { MergeGroup, VariantTask } from "./thread-protocol.ts";

/**
 * The group of a variant that merges a segment.
 * @throws TaskError invalid_argument when the variant has no such group
 */
export function segmentGroup({ groups }: VariantTask, { tensor, group }: SegmentPlan): MergeGroup {
  const found = groups[group];
  if (found !== undefined) return found;
  throw new TaskError("invalid_argument", `tensor "${tensor}": merged by group ${group} of ${groups.length}`);
}

/**
 * The program that merges a segment.
 * @throws TaskError invalid_argument when an input is missing or of a dtype that cannot be merged
 */
export function segmentProgram(variant: VariantTask, segment: SegmentPlan): Program {
  const { method, hasBase, models, slots, options, masks, working } = segmentGroup(variant, segment);
  const inputDtypes = slots.map((slot) => {
    const dtype = segment.inputs[slot]?.dtype;
    if (dtype !== undefined && isProgramDType(dtype)) return dtype;
    const problem = dtype === undefined ? "is missing" : `is ${dtype}, which cannot be merged`;
    throw new TaskError("invalid_argument", `tensor "${segment.tensor}": input ${slot} of the job ${problem}`);
  });
  const outputDtype = segment.outputDtype;
  if (!isProgramDType(outputDtype)) {
    throw new TaskError("invalid_argument", `tensor "${segment.tensor}": cannot merge into ${outputDtype}`);
  }
  const parsed: GraphSpec["options"] = Object.fromEntries(
    Object.entries(options).map(([name, json]) => [name, JSON.parse(json) as boolean | string]),
  );
  const spec = { method, hasBase, models, options: parsed, inputDtypes, outputDtype };
  const part = masks === undefined ? spec : { ...spec, masks };
  if (working === "") return buildProgram(part);
  const dtype = working === "own" ? (inputDtypes[0] ?? "") : working;
  if (isWorkingDType(dtype)) return buildProgram({ ...part, working: dtype });
  throw new TaskError("invalid_argument", `tensor "${segment.tensor}": mergekit does not compute in ${dtype}`);
}

/** Work area that the kernels of every segment of the shard can share, in bytes. */
export function scratchBytes(variant: VariantTask, { segments }: ShardLayout): number {
  const merged = segments.filter(({ copySlot }) => copySlot === undefined);
  return Math.max(0, ...merged.map((segment) => segmentProgram(variant, segment).scratchBytes));
}
