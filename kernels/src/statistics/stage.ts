// The protocol that finds statistics: start, then as often as needed run a pass over all segments,
// merge the partial results and advance. Pure; the same for a thread, a worker and a coordinator.
import type { F32, StatisticExpr } from "../expr.ts";
import { cutoffName } from "../graph.ts";
import { compileScalars, ELEMENTS } from "../scalars.ts";
import type { MergeGraph, Scalars, Search, Stage, StagePartial, StageState } from "../types.ts";
import { roundExact } from "./exact-sum.ts";
import { valueOfKey } from "./key.ts";

/** Bits of the three digits of an order-preserving key, most significant first, as shifts and masks. */
export const DIGITS: readonly { readonly shift: number; readonly mask: number; readonly known: number }[] = [
  { shift: 21, mask: 0x7ff, known: 0 },
  { shift: 10, mask: 0x7ff, known: 0xffe00000 },
  { shift: 0, mask: 0x3ff, known: 0xfffffc00 },
];

type Named = Pick<MergeGraph, "nameOf">;

export function startOf(graph: Named, stage: Stage, scalars: Scalars, elements: number): StageState {
  if (stage.family === "reduce") return { status: "reduce" };
  const searches = stage.statistics.map((s) => startSearch(rankOf(graph, s, scalars, elements), elements));
  return searches.every((s) => s.phase === "done")
    ? doneWith(graph, stage, searches)
    : { status: "digits", digit: 0, searches };
}

function rankOf(graph: Named, statistic: StatisticExpr, scalars: Scalars, elements: number): number {
  const into = new Float64Array(1);
  compileScalars([statistic.args[1] as F32], graph.nameOf, "float64")({ ...scalars, [ELEMENTS]: elements }, into);
  const rank = into[0]!;
  if (Number.isNaN(rank)) throw new RangeError(`the rank of ${graph.nameOf(statistic)} is not a number`);
  return Math.floor(rank);
}

function startSearch(rank: number, elements: number): Search {
  if (rank < 1) return { phase: "done", key: 0, rank: 0, start: 0, threshold: Infinity, cutoff: 0 };
  if (rank >= elements) return { phase: "done", key: 0, rank: 0, start: 0, threshold: -Infinity, cutoff: Infinity };
  return { phase: "digits", key: 0, rank, start: 0, threshold: Number.NaN, cutoff: Number.NaN };
}

export function advanceOf(graph: Named, stage: Stage, state: StageState, partial: StagePartial): StageState {
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
  const searches = state.searches.map((s, i) => advanceSearch(s, stage.statistics[i]!.exact, state, partial, i));
  const active = (phase: Search["phase"]): boolean => searches.some((s) => s.phase === phase);
  if (active("digits")) {
    const digit = state.status === "digits" && state.digit === 0 ? 1 : 2;
    return { status: "digits", digit, searches };
  }
  if (active("ties")) return { status: "ties", searches };
  if (active("locate")) return { status: "locate", searches };
  return doneWith(graph, stage, searches);
}

function advanceSearch(
  search: Search,
  exact: boolean,
  state: StageState,
  partial: StagePartial,
  index: number,
): Search {
  if (search.phase === "done") return search;
  switch (partial.kind) {
    case "digits": {
      const digit = state.status === "digits" ? state.digit : 0;
      const { place, rank, count } = fromTheTop(partial.counts[index]!, search.rank);
      const key = (search.key | (place << DIGITS[digit]!.shift)) >>> 0;
      if (digit < 2) return { ...search, key, rank };
      const threshold = valueOfKey(key);
      return exact && rank < count
        ? { ...search, phase: "ties", key, rank, threshold }
        : { ...search, phase: "done", key, rank, threshold, cutoff: Infinity };
    }
    case "ties": {
      const chunks = [...partial.chunks[index]!].sort((a, b) => a[0] - b[0]);
      let { rank } = search;
      for (const [start, count] of chunks) {
        if (rank <= count) return { ...search, phase: "locate", start, rank };
        rank -= count;
      }
      throw new RangeError("the passes of an exact selection did not cover the whole scope");
    }
    case "locate":
      return { ...search, phase: "done", cutoff: partial.indexes[index]! + 1 };
    default:
      throw new TypeError("a search takes no reduction");
  }
}

function fromTheTop(counts: Float64Array, rank: number): { place: number; rank: number; count: number } {
  let rest = rank;
  for (let place = counts.length - 1; place >= 0; place--) {
    const count = counts[place]!;
    if (rest <= count) return { place, rank: rest, count };
    rest -= count;
  }
  throw new RangeError("the passes of an order statistic did not cover the whole scope");
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
