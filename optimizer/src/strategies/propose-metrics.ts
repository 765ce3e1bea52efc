// The next point of a search that models its metrics: for a front, where the expected volume added to it is largest;
// for a score under bounds or the worst metric, where its expected improvement is; each times the probability that the
// bounds hold. While no point is likely to keep the bounds, where they are most likely to be kept (Gelbart, Snoek, Adams, "Bayesian
// optimization with unknown constraints", UAI 2014).

import type { Acquisition } from "../acquisition/acquisition.ts";
import { type ConditionalBelief, sampleBeliefs } from "../acquisition/conditional.ts";
import { boundFactor, createExpectedProduct } from "../acquisition/expected-product.ts";
import { hypervolumeFactor } from "../acquisition/hypervolume-improvement.ts";
import { rankCandidates } from "../acquisition/maximise.ts";
import { sharesOnFront } from "../acquisition/sampled-fronts.ts";
import type { Ensemble } from "../model/ensemble.ts";
import { createLogFeasibility } from "../model/feasibility.ts";
import { predictLatent } from "../model/gp.ts";
import { likeliestFirst, type MetricRecords, targetOf } from "../model/metric-models.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { dominates, inferredReference } from "../objective/front.ts";
import type { Goal } from "../objective/goal.ts";
import type { ProposalRecord } from "../study/events.ts";
import type { Trial } from "../study/ledger.ts";
import { type Aim, createAim } from "./aim.ts";
import { scoreToImprove } from "./chebyshev.ts";
import { improveWorst } from "./improve-worst.ts";
import {
  distinctUnits,
  largestField,
  largestFront,
  type MetricsInput,
  membersOf,
  pruningSamples,
  type Search,
} from "./metrics-input.ts";

/** Joint samples; fewer where each of them has many boxes. */
const samplesFor = (objectives: number): number => (objectives <= 2 ? 32 : 16);
/** A sample in which a pending trial keeps the bounds counts this little in the search for the first that does. */
const logFound = Math.log(1e-6);

/** Is there more to the goal than a score to be maximised? */
export const needsMetrics = ({ bounds, tradeOff, isWorst }: Goal): boolean =>
  bounds.length > 0 || tradeOff !== undefined || isWorst;

export interface MetricsProposal {
  /** Unit coordinates; never a taken point unless the space has no other left to offer. */
  readonly unit: Float64Array;
  /** Of the models of metrics, and of that of the score, where there is one. */
  readonly record: { readonly metrics: MetricRecords; readonly model?: ProposalRecord };
}

export function proposeByMetrics(input: MetricsInput): MetricsProposal {
  const { space, ledger, models, scored, seed, trial } = input;
  const unitsOf = (state: Trial["state"]) => ledger.trials.filter((one) => one.state === state).map((one) => one.unit);
  const feasible = models.trials.map(({ unit }) => unit).filter((unit) => models.probabilityFeasible(unit) >= 0.5);
  const improve = input.goal.isWorst ? improveWorst : improveFront;
  const { acquisition, incumbents } =
    feasible.length > 0 ? improve(input, feasible, unitsOf("pending")) : firstFeasible(input, unitsOf("pending"));
  const succeeds = createLogFeasibility(space.size, unitsOf("complete"), unitsOf("failed"));
  const wanted: Acquisition = {
    evaluate(points, count, values, gradients) {
      acquisition.evaluate(points, count, values, gradients);
      succeeds(points, count, values, gradients);
    },
  };
  const ranked = rankCandidates({ space, acquisition: wanted, incumbents, seed, trial });
  const best = ranked.find(({ x }) => !ledger.isTaken(x)) ?? ranked[0]!;
  const metrics = models.records();
  if (scored === undefined) return { unit: best.x, record: { metrics } };
  const model = { ...scored.record, logImprovement: best.value, isExploring: false };
  return { unit: best.x, record: { metrics, model } };
}

/** The probability to keep all bounds, of use only where no pending trial keeps them. */
function firstFeasible({ goal, models, seed, trial }: MetricsInput, pending: readonly Float64Array[]): Search {
  const ensembles = goal.bounds.map(({ metric }) => models.of(metric));
  const targets = goal.bounds.map(({ atLeast }, j) => targetOf(ensembles[j]!, atLeast));
  const samples = samplesFor(1);
  const beliefs = sampleBeliefs(membersOf(ensembles), pending, samples, createStream(seed, trial, purposes.fantasies));
  const isFound = (sample: number): boolean =>
    pending.some((_, b) => beliefs.every(({ values }, j) => values[sample * pending.length + b]! >= targets[j]!));
  const logWeights = Float64Array.from({ length: samples }, (_, m) => (isFound(m) ? logFound : 0));
  const factors = beliefs.map((belief, j) => boundFactor(belief, targets[j]!));
  const incumbents = likeliestFirst(models, models.trials).map(({ unit }) => unit);
  return { acquisition: createExpectedProduct(factors, logWeights), incumbents };
}

/** What is added to the front of the points that keep the bounds, or to the best of them. */
function improveFront(
  input: MetricsInput,
  feasible: readonly Float64Array[],
  pending: readonly Float64Array[],
): Search {
  const { goal, models, scored, seed, trial } = input;
  const score = scored ?? scoreToImprove(goal, models, seed, trial);
  const aim = createAim(goal, models, score);
  const objectives = aim.ensembles.slice(0, aim.objectives);
  const field = strongest(feasible, objectives);
  const incumbents = likelyFront(aim, field, seed, trial);
  const base = [...incumbents, ...pending];
  const stream = createStream(seed, trial, purposes.fantasies);
  const beliefs = sampleBeliefs(membersOf(aim.ensembles), base, samplesFor(aim.objectives), stream);
  const improved = beliefs.slice(0, aim.objectives);
  const referenceOf =
    score === undefined ? frontReference(goal, objectives, aim, field) : worstTargets(score, improved[0]!);
  const volume = hypervolumeFactor(improved, referenceOf, (m, b) => aim.keeps(beliefs, m, b));
  const logWeights = score === undefined ? undefined : logUnits(score, improved[0]!, incumbents);
  return { acquisition: createExpectedProduct([volume, ...aim.factors(beliefs)], logWeights), incumbents };
}

/** Distinct points, those that fewest others dominate in posterior mean; as many as are worth sampling. */
function strongest(units: readonly Float64Array[], objectives: readonly Ensemble[]): Float64Array[] {
  const distinct = distinctUnits(units);
  const means = distinct.map((unit) => objectives.map((ensemble) => ensemble.predict(unit).mean));
  const depths = means.map((mean) => means.reduce((count, other) => count + (dominates(other, mean) ? 1 : 0), 0));
  return [...distinct.keys()]
    .toSorted((a, b) => depths[a]! - depths[b]!)
    .slice(0, largestField)
    .map((index) => distinct[index]!);
}

/** The points that are on the front of some sample; those that are on most come first, equals in random order. */
function likelyFront(aim: Aim, field: readonly Float64Array[], seed: number, trial: number): Float64Array[] {
  const stream = createStream(seed, trial, purposes.pruning);
  const beliefs = sampleBeliefs(membersOf(aim.ensembles), field, pruningSamples, stream);
  const shares = sharesOnFront(beliefs.slice(0, aim.objectives), (m, b) => aim.keeps(beliefs, m, b));
  const front = [...field.keys()]
    .map((index) => ({ index, share: shares[index]!, key: stream.uniform() }))
    .filter(({ share }) => share > 0)
    .toSorted((a, b) => b.share - a.share || a.key - b.key)
    .slice(0, largestFront)
    .map(({ index }) => field[index]!);
  return front.length > 0 ? front : [field[0]!];
}

/** The reference that was given, else a little below the worst of the front; never below a bound. */
function frontReference(
  { tradeOff }: Goal,
  objectives: readonly Ensemble[],
  { floors }: Aim,
  field: readonly Float64Array[],
): () => number[] {
  const means = field.map((unit) => objectives.map((ensemble) => targetOf(ensemble, ensemble.predict(unit).mean)));
  const reference = tradeOff!.reference?.map((value, j) => targetOf(objectives[j]!, value)) ?? inferredReference(means);
  const raised = reference.map((value, j) => Math.max(value, floors[j]!));
  return () => raised;
}

/** Where nothing keeps the bounds in a sample, whatever does improves on the worst score. */
function worstTargets({ members }: Ensemble, { memberOf }: ConditionalBelief): (sample: number) => number[] {
  const worst = members.map(({ targets }) => [Math.min(...targets.targets)]);
  return (sample) => worst[memberOf[sample]!]!;
}

/** Improvements of members on warped scores, brought to the units of the score at the best point. */
function logUnits(
  { members }: Ensemble,
  { memberOf }: ConditionalBelief,
  incumbents: readonly Float64Array[],
): Float64Array {
  const slopes = members.map(({ gp, targets }) =>
    targets.slope(Math.max(...incumbents.map((unit) => predictLatent(gp, unit).mean))),
  );
  return Float64Array.from(memberOf, (member) => Math.log(slopes[member]!));
}
