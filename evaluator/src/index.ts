export type { Batch, BatchLimits, Encoding } from "./batches.ts";
export { makeBatches } from "./batches.ts";
export { EvaluatorError } from "./errors.ts";
export { checkEvaluationSpec } from "./evaluation-spec.ts";
export { type EvaluatorOptions, reportDeadLetter, runEvaluator } from "./evaluator.ts";
export { type Estimator, estimators } from "./fisher/answers.ts";
export type { EstimateOptions, FisherEstimate, RunningSum } from "./fisher/estimate.ts";
export { type EstimateProgress, type FisherFileOptions, writeFisherFile } from "./fisher/fisher-file.ts";
export { defaultEstimator } from "./fisher/items.ts";
export { type GenerationOptions, type Generator, generateGreedy, openGenerator } from "./generate.ts";
export { supportedArchitectures } from "./graph/families/index.ts";
export { createHeldEstimates, type HeldEstimates } from "./held-estimates.ts";
export { createEvaluatorMetrics, type EvaluatorMetrics } from "./metrics.ts";
export { loadWeightsFromCheckpoint, type ModelDirectory, readModelDirectory } from "./model-directory.ts";
export { type GraphOfModels, readOwnGraph } from "./own-graph.ts";
export { type Carried, type Program, programOf, type TensorData, type Tensors } from "./program.ts";
export { type ItemScores, type Labelled, scoreClassification, standardError } from "./score.ts";
export {
  createScorer,
  type FisherOptions,
  type Image,
  type ScoreOptions,
  type Scorer,
  type ScorerOptions,
  type TaskScore,
  type TextPair,
} from "./scorer.ts";
export {
  type Chain,
  createSession,
  type LoadedModel,
  type OpenedProgram,
  type Session,
  type SessionOptions,
} from "./session.ts";
export { parseTasks, type Split, type Task, type TaskFiles, type TaskSet } from "./task.ts";
export type { Example } from "./task-data.ts";
export { loadTasks, readTaskFiles } from "./task-files.ts";
export { type DataFile, taskOfModel, taskWithData } from "./task-of-data.ts";
export { createTokenizer, type TextTokenizer, type TokenizerFiles } from "./tokenize.ts";
export { storedIn, type Weights, type WeightTensor } from "./weights.ts";
