export { decodeElements, encodeElements, findNonFinite } from "./convert.ts";
export type { DTypeName } from "./dtype.ts";
export { dtypeBytes, FLOAT_DTYPES, isFloatDType, isProgramDType, isWorkingDType, type WorkingDType } from "./dtype.ts";
export { createExecutor } from "./executor.ts";
export type { F32, InputRole, Mask, Scope } from "./expr.ts";
export { buildGraph, graphText, LAYER_COUNT, LAYER_INDEX } from "./graph.ts";
export { interpret, type PlainTensor } from "./interpreter.ts";
export { LANGUAGE, type Language, type MethodFile } from "./language.ts";
export { createMatrixKernels, type LowRankRow, MATRIX_BLOCK_BYTES, type MatrixKernels } from "./matrix.ts";
export { type MergedTensor, mergeTensors, type TensorBytes } from "./merge.ts";
export type {
  BooleanParameter,
  EnumParameter,
  MergeMethod,
  MethodContext,
  NumberParameter,
  Parameter,
} from "./method.ts";
export { METHODS } from "./methods/index.ts";
export { compileOnnx, ONNX_DATA, ONNX_OUTPUTS, type OnnxFeed, type OnnxGraph } from "./onnx/compile.ts";
export { deviceObstacle, graphObstacle } from "./output-pass.ts";
export { buildProgram } from "./program.ts";
export { RANDOM_KEY, RANDOM_OFFSET, RANDOM_SEED, randomKey, streamWords, uniformAt } from "./random.ts";
export { registerMethod } from "./register.ts";
export { drawingStreams, scaleValues } from "./scalars.ts";
export { decodePartial, decodeState, encodePartial, encodeState, mergePartials } from "./statistics/partial.ts";
export { advanceStage, elementsRead, runStage, startStage } from "./statistics/stage.ts";
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
export { createMemory, type SharedMemory } from "./wasm/host.ts";
export { compileWgsl, WGSL_RAN, type WgslKernel } from "./wgsl/compile.ts";
