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

/**
 * Stages by what they depend on: a statistic that no coefficient touches is found once per job, and candidates that are
 * merged at the same time wait for the one that finds it.
 */
export type StatisticCache = Map<string, Promise<readonly ReducedStage[]>>;

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
  for (const [stage, { parameters }] of graph.stages.entries()) {
    const scopes = scopesOf(stage);
    if (scopes.length === 0) continue;
    const dependsOn = scopes.map((scope) => [scope.tensor, parameters.map((name) => scope.parameters[name])]);
    const key = JSON.stringify([cacheKey, stage, dependsOn]);
    const known = cache.get(key) ?? reduceStage(graph, stage, scopes, pass, [...reduced]);
    cache.set(key, known);
    // A failure may be a lost worker: whoever comes next tries again.
    known.catch(() => cache.delete(key));
    reduced.push(...(await known));
  }
  return reduced;
}

async function reduceStage(
  graph: MergeGraph,
  stage: number,
  scopes: readonly ReductionScope[],
  pass: StatisticPass,
  earlier: readonly ReducedStage[],
): Promise<ReducedStage[]> {
  const { outputs } = graph.stages[stage]!;
  const reduced: ReducedStage[] = [];
  const open = new Map<string, { readonly scope: ReductionScope; state: StageState }>();
  for (const scope of scopes) {
    const scalars = { ...scope.parameters, ...resultsFor(graph, earlier, scope.tensor) };
    open.set(scope.tensor, { scope, state: startStage(graph, stage, scalars, scope.elements) });
  }
  for (let round = 0; open.size > 0; round++) {
    const merged = await runRound(open, stage, round, pass, earlier);
    for (const [tensor, entry] of [...open]) {
      if (entry.state.status !== "done") {
        entry.state = advanceStage(graph, stage, entry.state, merged.get(tensor)!);
      }
      if (entry.state.status !== "done") continue;
      const { values } = entry.state;
      reduced.push({ stage, tensor, values: outputs.map((name) => values[name]!) });
      open.delete(tensor);
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
