// Statistics that span shards: of the whole model, or of a tensor that was cut. One pass per round over the shards
// concerned, partials merged here, until the kernels package says that the stage is done.
import {
  advanceStage,
  decodePartial,
  encodeState,
  type MergeGraph,
  mergePartials,
  type Scalars,
  type StagePartial,
  type StageState,
  startStage,
} from "@amalgam/kernels";
import type { StatisticDone } from "@amalgam/proto";
import { AmalgamError } from "@amalgam/runtime";
import type { ReductionScope } from "../plan/index.ts";

export interface ReducedStage {
  readonly stage: number;
  readonly tensor: string;
  readonly values: readonly number[];
}

/** Has one round done on one shard: the states by tensor go out, the partials come back. */
export type StatisticPass = (
  shard: number,
  stage: number,
  round: number,
  states: readonly { readonly tensor: string; readonly data: Uint8Array }[],
  reduced: readonly ReducedStage[],
) => Promise<StatisticDone>;

/** A cache of results by what they depend on; statistics that no coefficient touches are found once per job. */
export type StatisticCache = Map<string, readonly number[]>;

/**
 * Reduces every stage of the graph over its scopes, in order, since later stages may use earlier results.
 * @param scopesOf the scopes of a stage that span shards; none where workers find the statistic by themselves
 */
export async function reduceStatistics(
  graph: MergeGraph,
  scopesOf: (stage: number) => readonly ReductionScope[],
  pass: StatisticPass,
  cache: StatisticCache,
  cacheKey: string,
): Promise<ReducedStage[]> {
  const reduced: ReducedStage[] = [];
  for (const [stage, { outputs, parameters }] of graph.stages.entries()) {
    const open = new Map<string, { scope: ReductionScope; state: StageState; key: string }>();
    for (const scope of scopesOf(stage)) {
      const key = JSON.stringify([cacheKey, stage, scope.tensor, parameters.map((name) => scope.parameters[name])]);
      const known = cache.get(key);
      if (known !== undefined) {
        reduced.push({ stage, tensor: scope.tensor, values: known });
        continue;
      }
      const scalars = { ...scope.parameters, ...resultsFor(graph, reduced, scope.tensor) };
      open.set(scope.tensor, { scope, key, state: startStage(graph, stage, scalars, scope.elements) });
    }
    for (let round = 0; open.size > 0; round++) {
      const merged = await runRound(open, stage, round, pass, reduced);
      for (const [tensor, entry] of [...open]) {
        if (entry.state.status !== "done") {
          entry.state = advanceStage(graph, stage, entry.state, merged.get(tensor)!);
        }
        if (entry.state.status !== "done") continue;
        const { values } = entry.state;
        const ordered = outputs.map((name) => values[name]!);
        cache.set(entry.key, ordered);
        reduced.push({ stage, tensor, values: ordered });
        open.delete(tensor);
      }
    }
  }
  return reduced;
}

async function runRound(
  open: ReadonlyMap<string, { readonly scope: ReductionScope; readonly state: StageState }>,
  stage: number,
  round: number,
  pass: StatisticPass,
  reduced: readonly ReducedStage[],
): Promise<Map<string, StagePartial>> {
  const byShard = new Map<number, { tensor: string; data: Uint8Array }[]>();
  for (const [tensor, { scope, state }] of open) {
    if (state.status === "done") continue;
    const data = encodeState(state);
    for (const shard of scope.shards) {
      const states = byShard.get(shard) ?? [];
      states.push({ tensor, data });
      byShard.set(shard, states);
    }
  }
  const merged = new Map<string, StagePartial>();
  const passes = [...byShard].map(async ([shard, states]) => {
    const { partials } = await pass(shard, stage, round, states, reduced);
    for (const { tensor } of states) {
      // A statistic without a part of its elements would be a number like any other.
      const answers = partials.filter((partial) => partial.tensor === tensor).length;
      if (answers !== 1)
        throw new AmalgamError("internal", `shard ${shard}: ${answers} statistics of "${tensor}", not 1`);
    }
    for (const { tensor, data } of partials) {
      const partial = decodePartial(data);
      const sum = merged.get(tensor);
      merged.set(tensor, sum === undefined ? partial : mergePartials(sum, partial));
    }
  });
  await Promise.all(passes);
  return merged;
}

/** Results of earlier stages that hold for `tensor`: its own and those of the whole model. */
function resultsFor(graph: MergeGraph, reduced: readonly ReducedStage[], tensor: string): Scalars {
  const scalars: Record<string, number> = {};
  for (const { stage, tensor: of, values } of reduced) {
    if (of !== "" && of !== tensor) continue;
    for (const [index, name] of graph.stages[stage]!.outputs.entries()) scalars[name] = values[index]!;
  }
  return scalars;
}
