// What the host of a merge (shard worker, coordinator) sees: what a merge needs, the state of a
// statistic while it is being found, and the executor that runs it on one thread.
import type { DTypeName, WorkingDType } from "./dtype.ts";
import type { DrawnExpr, F32, InputRole, Mask, RankExpr, Scope, StatisticExpr } from "./expr.ts";
import type { MergeMethod } from "./method.ts";

/** Which merge: everything structural but the dtypes. Options are the boolean and enum parameters; omitted ones take their default. */
export interface GraphSpec {
  readonly method: string;
  readonly models: number;
  readonly hasBase: boolean;
  readonly options: Readonly<Record<string, boolean | string>>;
  /** Of a method that makes an artefact, in place of the vector: the masks of eight models from 8 times this on, a bit for each. */
  readonly masks?: number;
  /**
   * Computes as mergekit does in this dtype; `own` is that of the first input. Left out: in float32 throughout, rounded once, with
   * keyed random numbers.
   */
  readonly working?: WorkingDType | "own" | undefined;
}

/** A merge specialised to dtypes; `inputDtypes` are in the order of `MergeGraph.inputs`. */
export interface ProgramSpec extends GraphSpec {
  readonly inputDtypes: readonly DTypeName[];
  readonly outputDtype: DTypeName;
}

/** Values by name: parameters (`lambda`, `weight[0]`) and the results of statistics (`statistic[0]`, `statistic[0].cutoff`). */
export type Scalars = Readonly<Record<string, number>>;

/**
 * A group of statistics that one pass over the data advances together. Stages run in order; a stage may use the results of
 * earlier ones. Row statistics never appear here: the executor computes them by itself.
 */
export interface Stage {
  readonly scope: Scope;
  /** `reduce` needs one pass; `select` (order statistics) several. */
  readonly family: "reduce" | "select";
  readonly statistics: readonly StatisticExpr[];
  /** Names of the scalars this stage produces. */
  readonly outputs: readonly string[];
  /** Names of the parameters the results depend on: while these keep their values, results may be reused. */
  readonly parameters: readonly string[];
}

/** A method applied to a number of models: what the coordinator needs to know of it. Independent of dtypes. */
export interface MergeGraph {
  readonly method: MergeMethod;
  /** Base (if the merge has one), models in order, then each companion for all models in order. */
  readonly inputs: readonly InputRole[];
  /** Names of the runtime parameters, e.g. `weight[0]`, `lambda`. Each must be in the scalars of every call. */
  readonly parameters: readonly string[];
  readonly stages: readonly Stage[];
  /** Stages of row scope, which executors run by themselves for each row. */
  readonly rowStages: readonly Stage[];
  /** Expressions that need the ranks of a row, which executors find for each row. */
  readonly ranks: readonly RankExpr[];
  /** Numbers of mergekit's generator that the graph reads. */
  readonly drawn: readonly DrawnExpr[];
  /** The streams that take numbers from the generator, in order, and (where not always) when: a mask of parameters. */
  readonly draws: readonly { readonly stream: number; readonly when: Mask | undefined }[];
  /** True when a statistic of row scope or a rank is used: segments must then be whole rows and say `rowElements`. */
  readonly rowwise: boolean;
  readonly output: F32;
  /** Of a method that makes an artefact: the scale of each model. Their statistics are among the stages. */
  readonly scales: readonly F32[];
  /** The name of a statistic's result. */
  readonly nameOf: (statistic: StatisticExpr) => string;
}

/**
 * How far an order statistic has come. Values are searched by their keys, an order-preserving image of float32 in the unsigned
 * integers: the answer lies in [low, high], or is thought to.
 */
export interface Search {
  readonly phase: "search" | "locate" | "done";
  readonly low: number;
  readonly high: number;
  /** Where to look when it does not lie there. */
  readonly outerLow: number;
  readonly outerHigh: number;
  /** `search`: rank in the whole scope, 1 = largest. `locate`: rank among the equals of the chunk. */
  readonly rank: number;
  /** In `locate`: where the chunk begins that holds the last kept one of the equals. */
  readonly start: number;
  readonly threshold: number;
  readonly cutoff: number;
}

/** Where a stage stands. Plain data: `encodeState` and `decodeState` carry it between processes. */
export type StageState =
  | { readonly status: "reduce" }
  | {
      readonly status: "histogram" /** Passes still to come that read only a sample. */;
      readonly sampleRounds: number;
      readonly elements: number;
      readonly searches: readonly Search[];
    }
  | { readonly status: "locate"; readonly searches: readonly Search[] }
  | { readonly status: "done"; readonly values: Scalars };

/** An exactly represented sum of float64 values: `units` is in steps of 2^-1074, `special` collects infinities and NaN. */
export interface ExactSum {
  readonly units: bigint;
  readonly special: number;
}

/** Of one search: how many keys lie above its interval, and how many in each part of it. */
export interface Histogram {
  readonly above: number;
  readonly counts: Float64Array;
  /** Where the interval is one value: how many elements have it in each chunk that has some, by where the chunk starts. */
  readonly chunks: readonly (readonly [start: number, equals: number])[];
  /** All values in the interval, where they are few enough to be listed: their keys, and their indexes. */
  readonly listed?: { readonly keys: readonly number[]; readonly indexes: readonly number[] };
}

/** What one pass over a segment found. `mergePartials` is associative and commutative, to the bit. */
export type StagePartial =
  | { readonly kind: "reduce"; readonly values: readonly (ExactSum | number)[]; readonly kinds: readonly string[] }
  | { readonly kind: "histogram"; readonly elements: number; readonly searches: readonly Histogram[] }
  | { readonly kind: "locate"; readonly indexes: readonly number[] };

/**
 * A run of elements of one tensor. `firstElement` is counted from the tensor's start; for statistics it must be a multiple of
 * BLOCK_ELEMENTS (of the row for rowwise graphs), and the segment must end on one or at the tensor's end.
 */
export interface Segment {
  /** Byte addresses in the shared memory, in the order of `MergeGraph.inputs`; any alignment. */
  readonly inputs: readonly number[];
  readonly firstElement: number;
  /** Less than 2^31. */
  readonly elements: number;
  /** Length of the last dimension; needed by rowwise graphs only. */
  readonly rowElements?: number;
}

export interface OutputSegment extends Segment {
  /** Byte address of the merged elements; may be the address of an input of the same element size. */
  readonly output: number;
}

/** One merge, specialised and ready to compile. */
export interface Program {
  readonly spec: ProgramSpec;
  readonly graph: MergeGraph;
  /** Scratch memory one executor needs; executors of one thread may share theirs. */
  readonly scratchBytes: number;
}

/** Runs a program's kernels on the calling thread. All calls are synchronous. */
export interface Executor {
  readonly program: Program;
  /** Merges the segment and returns flags: FLAG_INPUT_NOT_FINITE, FLAG_OUTPUT_NOT_FINITE. */
  readonly output: (segment: OutputSegment, scalars: Scalars) => number;
  /** One pass of a stage (by its index) over a segment; `state` must not be done. */
  readonly statistic: (stage: number, state: StageState, segment: Segment, scalars: Scalars) => StagePartial;
}

/** Elements in which float64 sums are accumulated before they are added exactly; counted from the tensor's start. */
export const BLOCK_ELEMENTS = 65_536;
/** Some input the output depends on is NaN or infinite (after conversion to float32). */
export const FLAG_INPUT_NOT_FINITE = 1;
/** Some merged value is NaN or infinite, or too large for the output dtype. */
export const FLAG_OUTPUT_NOT_FINITE = 2;
