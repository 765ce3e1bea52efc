export { EvaluatorError } from "./errors.ts";
export type { Weights, WeightTensor } from "./weights.ts";
