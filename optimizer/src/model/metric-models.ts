// A model for each metric that is bounded or traded off. Unlike those of the score they are not warped, so that
// volumes, bounds and samples are in the metric's own units, and hardly winsorised: how bad the bad points are matters.

import { normalDistribution } from "../numerics/normal.ts";
import type { Goal } from "../objective/goal.ts";
import type { CompletedTrial } from "../study/ledger.ts";
import type { LedgerView } from "../study/stages.ts";
import { type Ensemble, fitEnsemble } from "./ensemble.ts";
import { predictLatent } from "./gp.ts";
import type { ModelRecord } from "./members.ts";
import { representative } from "./model.ts";

/** By the metric's name. */
export type MetricRecords = Readonly<Record<string, ModelRecord>>;

export interface MetricModels {
  /** Trials they rest on, by id. */
  readonly trials: readonly CompletedTrial[];
  /** Completed trials there were, of which `trials` may be a part. */
  readonly completed: number;
  /** The model of the metric at this position among the study's; fitted when first wanted. */
  of(metric: number): Ensemble;
  /** What proposals rest on, for the log. */
  records(): MetricRecords;
  /** Probability that the true values at unit coordinates keep all bounds; 1 without bounds. */
  probabilityFeasible(unit: Float64Array): number;
  /** How far the posterior means fall short of the bounds there, in units of the metrics' models, summed. */
  shortfall(unit: Float64Array): number;
}

/** Interquartile ranges below the first quartile that only a mistake reaches. */
const absurd = 50;

/** At least one trial must be complete. */
export function createMetricModels(ledger: LedgerView, { metrics, modelled, bounds }: Goal): MetricModels {
  const completed = ledger.completed();
  const trials = representative(completed, undefined);
  const units = trials.map((trial) => trial.unit);
  const last = ledger.lastMetrics;
  const models: Ensemble[] = [];
  const of = (metric: number): Ensemble => {
    models[metric] ??= fitEnsemble(
      units,
      trials.map(({ outcome }) => ({
        value: outcome.values[metric]!,
        standardError: outcome.standardErrors?.[metric],
      })),
      { last: last?.[metrics[metric]!], trials: completed.length, previous: undefined },
      {
        fence: {
          ranges: absurd,
          below: bounds.find((bound) => bound.metric === metric)?.atLeast,
        },
        mayWarp: false,
      },
    );
    return models[metric]!;
  };
  return {
    trials,
    completed: completed.length,
    of,
    records: () => Object.fromEntries(modelled.map((metric) => [metrics[metric]!, of(metric).record])),
    probabilityFeasible: (unit) =>
      bounds.reduce((product, { metric, atLeast }) => product * probabilityAtLeast(of(metric), atLeast, unit), 1),
    shortfall: (unit) =>
      bounds.reduce((sum, { metric, atLeast }) => {
        const { scores, predict } = of(metric);
        return sum + Math.max(0, atLeast - predict(unit).mean) / scores.scale;
      }, 0),
  };
}

/** A value of the metric in the targets that its members share. */
export function targetOf({ scores, members }: Ensemble, value: number): number {
  return members[0]!.targets.warp((value - scores.offset) / scores.scale);
}

function probabilityAtLeast(ensemble: Ensemble, value: number, unit: Float64Array): number {
  const bound = targetOf(ensemble, value);
  return ensemble.members.reduce((sum, { gp, weight }) => {
    const { mean, variance } = predictLatent(gp, unit);
    const deviation = Math.sqrt(Math.max(variance, leastVariance));
    return sum + weight * normalDistribution((mean - bound) / deviation);
  }, 0);
}

/** Points by how likely they keep all bounds; those that hardly can, by how far they fall short. */
export function likeliestFirst<T extends { readonly unit: Float64Array }>(
  models: MetricModels,
  points: readonly T[],
): T[] {
  return points
    .map((point) => {
      const probability = models.probabilityFeasible(point.unit);
      return { point, probability: probability < hopeless ? 0 : probability, shortfall: models.shortfall(point.unit) };
    })
    .toSorted((a, b) => b.probability - a.probability || a.shortfall - b.shortfall)
    .map(({ point }) => point);
}

/** Smaller probabilities say more of how unsure a point is than of how good. */
const hopeless = 1e-6;

/** Of a target: what arithmetic cannot tell from certainty. */
const leastVariance = 1e-18;
