// Test problems and the loop that runs a study on them.

export { bbob } from "./bbob.ts";
export { ackley, branin, griewank, hartmann6, levy, michalewicz5, rosenbrock, styblinskiTang } from "./functions.ts";
export { type MergeLike, meanAccuracy, mergeLike } from "./merge-like.ts";
export { recipeLike, weightsLike } from "./mixed.ts";
export { mulberry32 } from "./mulberry32.ts";
export {
  coordinates,
  embedded,
  evaluationStream,
  exact,
  floats,
  type Problem,
  run,
  withKnownNoise,
  withNoise,
} from "./problem.ts";
