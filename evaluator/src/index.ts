export { EvaluatorError } from "./errors.ts";
export { type Estimator, estimators } from "./fisher/answers.ts";
export type { EstimateOptions, FisherEstimate, RunningSum } from "./fisher/estimate.ts";
export { type EstimateProgress, type FisherFileOptions, writeFisherFile } from "./fisher/fisher-file.ts";
export { defaultEstimator } from "./fisher/items.ts";
export { supportedArchitectures } from "./graph/families/index.ts";
export { loadWeightsFromCheckpoint, type ModelDirectory, readModelDirectory } from "./model-directory.ts";
export { type GraphOfModels, readOwnGraph } from "./own-graph.ts";
export { checkEvaluationSpec } from "./role/evaluation-spec.ts";
export { type EvaluatorOptions, reportDeadLetter, runEvaluator } from "./role/evaluator.ts";
export { createHeldEstimates, type HeldEstimates } from "./role/held-estimates.ts";
export { createEvaluatorMetrics, type EvaluatorMetrics } from "./role/metrics.ts";
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
export type { Batch, BatchLimits, Encoding } from "./session/batches.ts";
export { makeBatches } from "./session/batches.ts";
export { type GenerationOptions, type Generator, generateGreedy, openGenerator } from "./session/generate.ts";
export { type Carried, type Program, programOf, type TensorData, type Tensors } from "./session/program.ts";
export {
  type Chain,
  createSession,
  type LoadedModel,
  type OpenedProgram,
  type Session,
  type SessionOptions,
} from "./session/session.ts";
export { parseTasks, type Split, type Task, type TaskFiles, type TaskSet } from "./tasks/task.ts";
export type { Example } from "./tasks/task-data.ts";
export { loadTasks, readTaskFiles } from "./tasks/task-files.ts";
export { type DataFile, taskOfModel, taskWithData } from "./tasks/task-of-data.ts";
export { createTokenizer, type TextTokenizer, type TokenizerFiles } from "./tasks/tokenize.ts";
export { storedIn, type Weights, type WeightTensor } from "./weights.ts";
