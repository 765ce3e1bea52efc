// The protocol that finds statistics: start, then as often as needed run a pass over all segments,
// merge the partial results and advance. Pure; the same for a thread, a worker and a coordinator.
import { topological } from "../canonical.ts";
import type { Expr, F32, StatisticExpr } from "../expr.ts";
import { cutoffName } from "../graph.ts";
import { compileScalars, ELEMENTS } from "../scalars.ts";
import type { MergeGraph, Scalars, Search, Stage, StagePartial, StageState } from "../types.ts";
import { BLOCK_ELEMENTS } from "../types.ts";
import { roundExact } from "./exact-sum.ts";
import { afterCount, afterSample, isCrowded, sampleElements, sampleRoundsFor, startSearch } from "./search.ts";

/** Whether a statistic or a rank of the element's row is used. */
export const dependsOnRows = (e: Expr): boolean =>
  topological([e], () => false).some((x) => x.op === "rank" || (x.op === "statistic" && x.scope === "row"));

type Named = Pick<MergeGraph, "nameOf">;

function startOf(graph: Named, stage: Stage, scalars: Scalars, elements: number): StageState {
  if (stage.family === "reduce") return { status: "reduce" };
  const searches = stage.statistics.map((s) => startSearch(rankProgram(graph, s)(scalars, elements), elements));
  return searches.every((s) => s.phase === "done")
    ? doneWith(graph, stage, searches)
    : { status: "histogram", sampleRounds: sampleRoundsFor(elements), elements, searches };
}

/** Evaluates the rank of an order statistic over that many elements. */
export function rankProgram(graph: Named, statistic: StatisticExpr): (scalars: Scalars, elements: number) => number {
  const program = compileScalars([statistic.args[1] as F32], graph.nameOf, "float64");
  const into = new Float64Array(1);
  return (scalars, elements) => {
    program({ ...scalars, [ELEMENTS]: elements }, into);
    const rank = into[0]!;
    if (Number.isNaN(rank)) throw new RangeError(`the rank of ${graph.nameOf(statistic)} is not a number`);
    return Math.floor(rank);
  };
}

function advanceOf(graph: Named, stage: Stage, state: StageState, partial: StagePartial): StageState {
  if (state.status !== partial.kind)
    throw new TypeError(`a ${partial.kind} result does not fit a stage in state ${state.status}`);
  if (partial.kind === "reduce") {
    const values = partial.values.map((v) => (typeof v === "number" ? v : roundExact(v)));
    return {
      status: "done",
      values: Object.fromEntries(stage.statistics.map((s, i) => [graph.nameOf(s), values[i]!])),
    };
  }
  if (state.status === "reduce") throw new TypeError("this stage has no searches");
  const searches = state.searches.map((search, i): Search => {
    switch (partial.kind) {
      case "histogram": {
        const histogram = partial.searches[i]!;
        return state.status === "histogram" && state.sampleRounds > 0
          ? afterSample(search, histogram, {
              sampled: partial.elements,
              elements: state.elements,
              wholeRows: dependsOnRows(stage.statistics[i]!.args[0]!),
            })
          : afterCount(search, histogram, stage.statistics[i]!.exact);
      }
      case "locate":
        return search.phase === "locate" ? { ...search, phase: "done", cutoff: partial.indexes[i]! + 1 } : search;
      default:
        throw new TypeError("a search takes no reduction");
    }
  });
  const some = (phase: Search["phase"]): boolean => searches.some((s) => s.phase === phase);
  if (some("search") && state.status === "histogram") {
    const crowded =
      state.sampleRounds === 1 &&
      partial.kind === "histogram" &&
      searches.some((s, i) => isCrowded(state.searches[i]!, s, partial.searches[i]!, partial.elements));
    return { ...state, sampleRounds: Math.max(0, state.sampleRounds - (crowded ? 0 : 1)), searches };
  }
  if (some("locate")) return { status: "locate", searches };
  return doneWith(graph, stage, searches);
}

function doneWith(graph: Named, stage: Stage, searches: readonly Search[]): StageState {
  const values = stage.statistics.flatMap((s, i) => {
    const name = graph.nameOf(s);
    const { threshold, cutoff } = searches[i]!;
    return s.exact ? [[name, threshold] as const, [cutoffName(name), cutoff] as const] : [[name, threshold] as const];
  });
  return { status: "done", values: Object.fromEntries(values) };
}

/** Begins a stage over a scope of that many elements. It may be done at once: then no pass is needed. */
export const startStage = (graph: MergeGraph, stage: number, scalars: Scalars, elements: number): StageState =>
  startOf(graph, stageAt(graph, stage), scalars, elements);

/** How many elements at the start of every block of BLOCK_ELEMENTS the next pass reads. */
export const elementsRead = ({ rowwise }: MergeGraph, state: StageState): number =>
  state.status === "histogram" && !rowwise ? sampleElements(state.sampleRounds, state.elements) : BLOCK_ELEMENTS;

/** Takes the merged partial results of one pass over the whole scope. */
export const advanceStage = (graph: MergeGraph, stage: number, state: StageState, partial: StagePartial): StageState =>
  advanceOf(graph, stageAt(graph, stage), state, partial);

/** Runs a stage to its end with a function that makes one pass over the whole scope; returns its results by name. */
export function runStage(
  graph: MergeGraph,
  stage: number,
  scalars: Scalars,
  elements: number,
  pass: (state: StageState) => StagePartial,
): Scalars {
  let state = startStage(graph, stage, scalars, elements);
  while (state.status !== "done") state = advanceStage(graph, stage, state, pass(state));
  return state.values;
}

function stageAt(graph: MergeGraph, stage: number): Stage {
  const found = graph.stages[stage];
  if (!found)
    throw new RangeError(`${graph.method.name} has ${graph.stages.length} stages, there is no stage ${stage}`);
  return found;
}
