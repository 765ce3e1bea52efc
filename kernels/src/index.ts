export type { DTypeName } from "./dtype.ts";
export { dtypeBytes, FLOAT_DTYPES, isFloatDType } from "./dtype.ts";
export type { F32, InputRole, Mask, Scope } from "./expr.ts";
export type {
  BooleanParameter,
  EnumParameter,
  MergeMethod,
  MethodContext,
  NumberParameter,
  Parameter,
} from "./method.ts";
export type {
  ExactSum,
  Executor,
  GraphSpec,
  MergeGraph,
  OutputSegment,
  Program,
  ProgramSpec,
  Scalars,
  Segment,
  Stage,
  StagePartial,
  StageState,
} from "./types.ts";
export { BLOCK_ELEMENTS, FLAG_INPUT_NOT_FINITE, FLAG_OUTPUT_NOT_FINITE } from "./types.ts";

// Planned, in this shape (being written):
// METHODS: Readonly<Record<string, MergeMethod>>
// buildGraph(spec: GraphSpec): MergeGraph
// buildProgram(spec: ProgramSpec): Program                      memoised by spec
// createExecutor(program, memory: WebAssembly.Memory, scratch: number): Executor   scratch: 16-aligned byte address of program.scratchBytes bytes
// startStage(graph, stage: number, scalars: Scalars, elements: number): StageState  elements: of the scope
// advanceStage(graph, stage: number, state: StageState, partial: StagePartial): StageState
// runStage(graph, stage, scalars, elements, pass: (state) => StagePartial): Scalars   the loop of the two above
// mergePartials(a: StagePartial, b: StagePartial): StagePartial
// encodePartial / decodePartial / encodeState / decodeState      to and from Uint8Array
// findNonFinite(bytes: Uint8Array, dtype: DTypeName): number     index of the first NaN or infinity, -1 if none
// createMemory(bytes: number): WebAssembly.Memory                shared, growable to 4 GiB
