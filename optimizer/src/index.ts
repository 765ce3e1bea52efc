// Ask/tell Bayesian optimisation. Pure: no I/O, no clock, no global randomness, no dependencies.

export { StudyError } from "./errors.ts";
export type { ModelRecord, Origin, StudyEvent, StudySpec } from "./events.ts";
export { createGreedySoup, type GreedySoup, greedySoupTrials } from "./greedy-soup.ts";
export type { Prediction } from "./model.ts";
export type { Recommendation } from "./recommend.ts";
export type { Dimension, FloatDimension, IntegerDimension, Values } from "./space.ts";
export { createStudy, type Outcome, type Proposal, replay, type Study } from "./study.ts";
