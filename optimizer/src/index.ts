// Ask/tell Bayesian optimisation. Pure: no I/O, no clock, no global randomness, no dependencies.

export type { Answers } from "./answers/answers.ts";
export type { Calibration, LeftOut } from "./answers/calibration.ts";
export type { Importance } from "./answers/importance.ts";
export type { Improvement } from "./answers/improvement.ts";
export type { MetricBelief, ParetoFront, ParetoPoint } from "./answers/pareto.ts";
export type { Recommendation } from "./answers/recommend.ts";
export type { SlicePoint } from "./answers/slice.ts";
export type { StopOptions, StopReport } from "./answers/stop.ts";
export { StudyError } from "./errors.ts";
export type { Prediction } from "./model/ensemble.ts";
export type { ModelRecord } from "./model/members.ts";
export type { Constraint } from "./objective/goal.ts";
export { createScalarise, type Normalisation, type Objective, type ParetoObjective } from "./objective/scalarise.ts";
export { type ItemResults, type PairedDifference, pairedDifference } from "./racing/paired.ts";
export type {
  CategoricalDimension,
  Dimension,
  FixedDimension,
  FloatDimension,
  IntegerDimension,
  SimplexDimension,
  Values,
} from "./space/dimensions.ts";
export type { CmaRecord } from "./strategies/cmaes.ts";
export { createGreedySoup, type GreedySoup, greedySoupTrials } from "./strategies/greedy-soup.ts";
export { largestGridLevels } from "./strategies/grid.ts";
export type { Failure, Origin, Outcome, ProposalRecord, Stage, StudyEvent, StudySpec } from "./study/events.ts";
export { formatLog, type OpenedLog, openLog } from "./study/log.ts";
export { type OptunaOptions, type OptunaTrials, optunaDimensions, readOptunaTrials } from "./study/optuna.ts";
export { createStudy, type Proposal, replay, type Study, type TrialRecord } from "./study/study.ts";
export { type PastTrial, pastTrials, type WarmStart, type WarmStartOptions, warmStart } from "./study/warm-start.ts";
