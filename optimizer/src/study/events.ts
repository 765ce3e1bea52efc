// The study's record. Events are plain JSON, appended and never changed; together with the spec they determine every
// later proposal.

import type { ModelRecord } from "../model/members.ts";
import type { MetricRecords } from "../model/metric-models.ts";
import type { Constraint } from "../objective/goal.ts";
import type { Objective } from "../objective/scalarise.ts";
import type { Dimension, Values } from "../space/space.ts";
import type { Ties } from "../space/ties.ts";
import type { CmaRecord } from "../strategies/cmaes.ts";

/** Some of a study's trials, proposed with dimensions tied together. */
export interface Stage {
  /** For reports; unique in the study. */
  readonly name: string;
  /** Trials that are asked for in this stage, a whole number > 0. */
  readonly trials: number;
  readonly ties: Ties;
}

export interface StudySpec {
  readonly dimensions: readonly Dimension[];
  /** Any safe integer >= 0; different seeds give independent searches. */
  readonly seed: number;
  /** What proposes, once everything enqueued is asked for. Default: `"bayesian"`. Answers come from the model in any case. */
  readonly strategy?: "bayesian" | "random" | "sobol" | "grid" | "cmaes";
  /**
   * Of `"bayesian"`: proposals, enqueued ones included, before the model takes over. Default: 2 ceil(d / 2) + 4, between
   * 5 and 20, for d unit coordinates (a float or whole number has one, a choice one for each choice).
   */
  readonly initialTrials?: number;
  /** Of `"grid"`: levels of every dimension in the first grid, at least 2; see largestGridLevels. Default: 3. */
  readonly gridLevels?: number;
  /** Coarse to fine: stages that come first, in which dimensions are tied together. Each is part of the next. */
  readonly stages?: readonly Stage[];
  /** What every trial measures, larger being better: the names of an outcome's values. Default: `["score"]`. */
  readonly metrics?: readonly string[];
  /** What is maximised of the metrics. Default: their mean. */
  readonly objective?: Objective;
  /**
   * What every point worth having keeps: lower bounds of the metrics' true values. "No task may lose more than 2 points"
   * is one bound a task, at what it must keep. Of several on one metric the highest counts.
   */
  readonly constraints?: readonly Constraint[];
  /**
   * Evaluating a point again draws new noise, so that it is worth it to evaluate the best ones again. Default: false, as
   * for a fixed validation set, which gives the same number every time.
   */
  readonly replicates?: boolean;
}

/** What a trial gave. */
export interface Outcome {
  /** One for each of the study's metrics, in their order. */
  readonly values: readonly number[];
  /** Standard errors of the values where they are known, e.g. sqrt(p (1 - p) / n) of an accuracy on n items. */
  readonly standardErrors?: readonly number[];
  /** Validation items it was measured on, a whole number > 0. */
  readonly items?: number;
  /** What the trial cost, >= 0, in any one unit, e.g. seconds. */
  readonly cost?: number;
}

/** Why a trial has no outcome. */
export interface Failure {
  readonly reason: string;
}

/**
 * Where a trial came from: the caller; a measurement made elsewhere; the line of equal values in all dimensions (only where all share one range,
 * as merge coefficients do); the centre; scrambled Sobol points; the model; the other strategies; of a greedy soup, one model alone, or one more.
 */
export type Origin =
  | "enqueued"
  | "observed"
  | "line"
  | "centre"
  | "sobol"
  | "model"
  | "random"
  | "grid"
  | "cmaes"
  | "alone"
  | "soup";

/** The model behind a proposal. */
export interface ProposalRecord extends ModelRecord {
  /** Logarithm of the largest expected improvement found, as a share of what the best score is above the median. */
  readonly logImprovement: number;
  /** The search was stuck, and this proposal looks elsewhere. */
  readonly isExploring: boolean;
}

export type StudyEvent =
  | {
      readonly type: "ask";
      readonly id: number;
      readonly values: Values;
      readonly origin: Origin;
      readonly stage?: string;
      readonly model?: ProposalRecord;
      readonly cma?: CmaRecord;
      /** The models of the metrics that are bounded or traded off. */
      readonly metrics?: MetricRecords;
    }
  | { readonly type: "enqueue"; readonly values: Values }
  | {
      readonly type: "observe";
      readonly id: number;
      readonly values: Values;
      readonly result: Outcome | Failure;
      readonly source?: string;
    }
  | ({ readonly type: "tell"; readonly id: number } & Outcome)
  | { readonly type: "fail"; readonly id: number; readonly reason: string }
  | { readonly type: "release"; readonly id: number };
