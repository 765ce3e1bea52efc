// The trade-offs that a study has found: the evaluated points that no other dominates in posterior mean, how sure of
// that the models are, and the ones to take for want of a preference.

import { sampleBeliefs } from "../acquisition/conditional.ts";
import { sharesOnFront } from "../acquisition/sampled-fronts.ts";
import type { Prediction } from "../model/ensemble.ts";
import { likeliestFirst, type MetricModels } from "../model/metric-models.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { hypervolume } from "../objective/boxes.ts";
import { dominates, extremesOf, inferredReference, nonDominated } from "../objective/front.ts";
import type { Goal } from "../objective/goal.ts";
import type { Values } from "../space/space.ts";
import type { CompletedTrial } from "../study/ledger.ts";
import { leastProbability } from "./feasible.ts";

/** The true value of one metric at one point, as far as it is known. */
export interface MetricBelief extends Prediction {
  /** Central 95 % credible interval. */
  readonly credibleInterval: readonly [low: number, high: number];
}

export interface ParetoPoint {
  /** The first complete trial at this point. */
  readonly id: number;
  readonly values: Values;
  /** By the metric's name, for those traded off. */
  readonly metrics: Readonly<Record<string, MetricBelief>>;
  /** Probability that no other of the points that were looked at dominates it (joint posterior samples). */
  readonly probabilityNonDominated: number;
  /** Probability that the true values keep all constraints; 1 without any. */
  readonly probabilityFeasible: number;
}

export interface ParetoFront {
  /** By the first metric, largest first. Never empty. */
  readonly points: readonly ParetoPoint[];
  /** Ids of points of the front; means and worst metrics are in units of the experts where the objective normalises. */
  readonly picks: {
    /** The highest mean of the metrics. */
    readonly bestMean: number;
    /** The highest value of the metric that is lowest there. */
    readonly bestWorst: number;
    /** Farthest beyond the plane through the front's extremes: where more of one metric begins to cost most of another. */
    readonly knee: number;
  };
  /** Does every point keep all constraints with a probability of 0.9? If not, the only point is the likeliest to. */
  readonly isFeasible: boolean;
  /** What the posterior means dominate above `reference`, in the units of the metrics. */
  readonly hypervolume: number;
  readonly reference: readonly number[];
  /** Completed trials this rests on. */
  readonly trials: number;
}

const samples = 512;
/** Points that more others dominate are not sampled. */
const largestField = 128;
const normal95 = 1.959963984540054;

interface Candidate {
  readonly trial: CompletedTrial;
  readonly unit: Float64Array;
  readonly beliefs: readonly Prediction[];
  readonly means: readonly number[];
  readonly probabilityFeasible: number;
}

/** `traded` are positions of metrics; at least one trial is complete. */
export function frontOf(goal: Goal, traded: readonly number[], models: MetricModels, seed: number): ParetoFront {
  const all = distinct(models.trials).map((trial): Candidate => {
    const beliefs = traded.map((metric) => models.of(metric).predict(trial.unit));
    const means = beliefs.map(({ mean }) => mean);
    return { trial, unit: trial.unit, beliefs, means, probabilityFeasible: models.probabilityFeasible(trial.unit) };
  });
  const safe = all.filter(({ probabilityFeasible }) => probabilityFeasible >= leastProbability);
  const field = strongest(safe.length > 0 ? safe : likeliestFirst(models, all).slice(0, 1));
  const shares = sharesOnFront(
    sampleBeliefs(
      traded.map((metric) => models.of(metric).members),
      field.map(({ unit }) => unit),
      samples,
      createStream(seed, models.completed, purposes.bestness),
    ),
    () => true,
  );
  const front = nonDominated(field.map(({ means }) => means))
    .map((index) => ({ ...field[index]!, share: Math.min(1, shares[index]!) }))
    .toSorted((a, b) => b.means[0]! - a.means[0]!);
  const reference = goal.tradeOff?.reference ?? inferredReference(field.map(({ means }) => means));
  return {
    points: front.map(({ trial, beliefs, share, probabilityFeasible }) => ({
      id: trial.id,
      values: trial.values,
      metrics: Object.fromEntries(traded.map((metric, j) => [goal.metrics[metric]!, withInterval(beliefs[j]!)])),
      probabilityNonDominated: share,
      probabilityFeasible,
    })),
    picks: picksFrom(front, goal, traded),
    isFeasible: safe.length > 0,
    hypervolume: hypervolume(Float64Array.from(front.flatMap(({ means }) => means)), reference),
    reference,
    trials: models.completed,
  };
}

/** The first trial at each point. */
function distinct(trials: readonly CompletedTrial[]): CompletedTrial[] {
  const seen = new Set<string>();
  return trials.filter(({ unit }) => seen.size < seen.add(unit.join()).size);
}

/** The candidates that fewest others dominate; all of the front unless it is larger than what is sampled. */
function strongest(candidates: readonly Candidate[]): Candidate[] {
  const depthOf = ({ means }: Candidate): number =>
    candidates.reduce((count, other) => count + (dominates(other.means, means) ? 1 : 0), 0);
  return candidates
    .map((candidate) => ({ candidate, depth: depthOf(candidate) }))
    .toSorted((a, b) => a.depth - b.depth)
    .slice(0, largestField)
    .map(({ candidate }) => candidate);
}

function withInterval({ mean, standardDeviation }: Prediction): MetricBelief {
  const margin = normal95 * standardDeviation;
  return { mean, standardDeviation, credibleInterval: [mean - margin, mean + margin] };
}

function picksFrom(front: readonly Candidate[], goal: Goal, traded: readonly number[]): ParetoFront["picks"] {
  const normalised = front.map(({ means }) => {
    const values = goal.metrics.map((_, metric) => means[traded.indexOf(metric)] ?? 0);
    const inUnits = goal.normalise({ values }).values;
    return traded.map((metric) => inUnits[metric]!);
  });
  const { ideal, nadir } = extremesOf(front.map(({ means }) => means));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const bulges = front.map(({ means }) =>
    sum(means.map((mean, j) => (mean - nadir[j]!) / (ideal[j]! - nadir[j]! || 1))),
  );
  const idOfLargest = (of: readonly number[]): number => front[of.indexOf(Math.max(...of))]!.trial.id;
  return {
    bestMean: idOfLargest(normalised.map(sum)),
    bestWorst: idOfLargest(normalised.map((values) => Math.min(...values))),
    knee: idOfLargest(bulges),
  };
}
