// The numbers a merge needs before its output pass, for one shard in one thread: results reduced across shards come with the
// task, those of a tensor that lies wholly in the shard are found here, and kept while the parameters they depend on stay.
import {
  type Executor,
  mergePartials,
  runStage,
  type Scalars,
  type Segment,
  type StagePartial,
  type StageState,
} from "@amalgam/kernels";
import type { SegmentPlan } from "./shard-layout.ts";
import { TaskError } from "./task-error.ts";
import type { StatisticValue } from "./thread-protocol.ts";

/** A segment of a shard, ready to be merged by one variant of a method. */
export interface PreparedSegment {
  readonly plan: SegmentPlan;
  readonly executor: Executor;
  readonly segment: Segment;
  /** Results that were found here, by stage, with the parameters they depend on. */
  readonly found: Map<number, { readonly parameters: string; readonly values: Scalars }>;
}

/** Number of elements of the whole tensor that a segment belongs to. */
function tensorElements({ shape }: SegmentPlan): number {
  return shape.reduce((count, dimension) => count * dimension, 1);
}

/**
 * Parameters and the results of all stages before `endStage`, by name.
 * @param row numeric parameters in the order of the graph's
 * @param reduced results that were reduced across shards
 */
export function scalarsBefore(
  { plan, executor, segment, found }: PreparedSegment,
  row: readonly number[],
  endStage: number,
  reduced: readonly StatisticValue[],
): Scalars {
  const { graph } = executor.program;
  if (row.length !== graph.parameters.length) {
    throw new TaskError(
      "invalid_argument",
      `tensor "${plan.tensor}": ${row.length} numeric parameters where ${graph.method.name} takes ${graph.parameters.length}`,
    );
  }
  const scalars: Record<string, number> = {};
  graph.parameters.forEach((name, i) => {
    scalars[name] = row[i]!;
  });
  for (let stage = 0; stage < endStage; stage++) {
    const { scope, outputs, parameters } = graph.stages[stage]!;
    const tensor = scope === "model" ? "" : plan.tensor;
    const given = reduced.find(
      (value) => value.group === plan.group && value.statistic === stage && value.tensor === tensor,
    );
    if (given !== undefined) {
      outputs.forEach((name, i) => {
        scalars[name] = given.values[i]!;
      });
      continue;
    }
    const elements = tensorElements(plan);
    if (scope === "model" || elements !== plan.elements) {
      const where = scope === "model" ? "the model" : `tensor "${plan.tensor}", which lies in several shards`;
      throw new TaskError("internal", `the coordinator did not send statistics stage ${stage} of ${where}`);
    }
    const dependsOn = JSON.stringify(parameters.map((name) => scalars[name]));
    let result = found.get(stage);
    if (result?.parameters !== dependsOn) {
      const pass = (state: StageState): StagePartial => executor.statistic(stage, state, segment, { ...scalars });
      result = { parameters: dependsOn, values: runStage(graph, stage, scalars, elements, pass) };
      found.set(stage, result);
    }
    Object.assign(scalars, result.values);
  }
  return scalars;
}

/** Adds a partial result to those of the same key. */
export function addPartial(partials: Map<string, StagePartial>, key: string, partial: StagePartial): void {
  const before = partials.get(key);
  partials.set(key, before === undefined ? partial : mergePartials(before, partial));
}
