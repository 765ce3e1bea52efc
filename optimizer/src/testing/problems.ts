// Test problems and the loop that runs a study on them.

export { hypervolume } from "../objective/boxes.ts";
export { bbob } from "./bbob.ts";
export { dtlz2, type FrontProblem, mergeGroups, zdt } from "./fronts.ts";
export { ackley, branin, griewank, hartmann6, levy, michalewicz5, rosenbrock, styblinskiTang } from "./functions.ts";
export { type MergeLike, meanAccuracy, mergeKept, mergeLike } from "./merge-like.ts";
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
