// CMA-ES by ask and tell, with trials in flight. A generation ends when as many of its trials are settled as a
// population has; until then every ask draws one more point from it, so nobody waits. What was settled besides, stragglers
// of earlier generations and points that others chose, is taken in too where it is good. Failed trials rank last. A
// distribution that has shrunk to a point, or scores that no longer differ, begin a new run with twice the population at
// a random place (IPOP: Auger and Hansen, CEC 2005).

import { createStream, purposes } from "../numerics/rng.ts";
import type { Trial } from "../study/ledger.ts";
import {
  type CmaState,
  defaultPopulation,
  defaultSigma,
  drawCma,
  foldIntoCube,
  type RankedPoint,
  spreadOf,
  startCma,
  updateCma,
} from "./cma-es.ts";
import { type Context, firstNew, type Strategy, type Suggestion } from "./strategy.ts";

/** What an ask event remembers: the point as drawn and, where the distribution is a new one, what made it. */
export interface CmaRecord {
  /** [d] before it is folded into the cube and snapped. */
  readonly point: readonly number[];
  /** The trials that the distribution was updated with before this point was drawn, best first. */
  readonly ranked?: readonly number[];
  /** The run that begins with this point: where, with which population, and trials of others it may still hear of. */
  readonly start?: {
    readonly mean: readonly number[];
    readonly population: number;
    readonly pending: readonly number[];
  };
}

/** Draws that are nearer than this in every coordinate are one point to the ledger. */
const smallestSpread = 2e-6;

export const cmaes: Strategy = (context) => {
  const { spec, space, ledger, id } = context;
  const run = runSoFar(context);
  const change = run === undefined ? begin(context) : advance(context, run);
  const state = change?.state ?? run!.state;
  const stream = createStream(spec.seed, id, purposes.evolution);
  function* draws(): Generator<Suggestion, never> {
    for (;;) {
      const drawn = drawCma(state, stream);
      const unit = foldIntoCube(drawn);
      space.snap(unit);
      yield { unit, origin: "cmaes", record: { cma: { point: [...drawn], ...change?.record } } };
    }
  }
  return firstNew(draws(), ledger);
};

interface Run {
  readonly state: CmaState;
  readonly population: number;
  /** Trials drawn from the state. */
  readonly own: readonly Trial[];
  /** Trials of earlier generations and of others that it may still take in. */
  readonly foreign: readonly Trial[];
}

interface Change {
  readonly state: CmaState;
  readonly record: Omit<CmaRecord, "point">;
}

/** What the recorded proposals of this stage add up to; undefined before the first. */
function runSoFar({ space, ledger, stage }: Context): Run | undefined {
  const byId = new Map(ledger.trials.map((trial) => [trial.id, trial]));
  let run: Run | undefined;
  for (const trial of ledger.trials) {
    const { start, ranked } = (trial.stage === stage && trial.cma) || {};
    if (start !== undefined) {
      const foreign = start.pending.flatMap((id) => byId.get(id) ?? []);
      run = { state: stateAt(start.mean, space.steps), population: start.population, own: [], foreign };
    } else if (run === undefined) continue;
    if (ranked !== undefined) {
      const taken = new Set(ranked);
      const points = ranked.map((id) => rankedPoint(byId.get(id)!, run!));
      const foreign = [...run.foreign, ...run.own].filter(({ id }) => !taken.has(id));
      run = { ...run, state: updateCma(run.state, points), own: [], foreign };
    }
    const isOwn = trial.stage === stage && trial.cma !== undefined;
    run = isOwn ? { ...run, own: [...run.own, trial] } : { ...run, foreign: [...run.foreign, trial] };
  }
  return run;
}

const stateAt = (mean: readonly number[], steps: readonly number[]): CmaState =>
  startCma({ mean, sigma: defaultSigma, steps });

function rankedPoint(trial: Trial, { own }: Pick<Run, "own">): RankedPoint {
  return own.includes(trial) ? { point: trial.cma!.point } : { point: trial.unit, isForeign: true };
}

/** A run about the best point that is known, else about the centre. */
function begin({ space, ledger }: Context): Change {
  const best = ledger.completed().toSorted(byScore)[0];
  const mean = best === undefined ? space.centre : [...best.unit];
  const pending = ledger.trials.filter(({ state }) => state === "pending").map(({ id }) => id);
  return {
    state: stateAt(mean, space.steps),
    record: { start: { mean, population: defaultPopulation(space.size), pending } },
  };
}

/** The update or the new run that is due; undefined while the generation is not over. */
function advance(context: Context, run: Run): Change | undefined {
  const { state, population, own } = run;
  const settled = own.filter(isSettled).toSorted(byScore);
  const scored = settled.filter(({ score }) => score !== undefined);
  // With fewer scores the ranking says nothing of the better half.
  if (settled.length < population || scored.length < population / 2) return undefined;
  const median = settled[Math.floor(settled.length / 2)]!;
  const foreign = run.foreign.filter((trial) => trial.score !== undefined && byScore(trial, median) < 0);
  const ranked = [...settled, ...foreign.toSorted(byScore).slice(0, population / 2)].toSorted(byScore);
  const next = updateCma(
    state,
    ranked.map((trial) => rankedPoint(trial, run)),
  );
  const isFlat = scored.every(({ score }) => score!.value === scored[0]!.score!.value);
  if (!isFlat && (spreadOf(next) >= smallestSpread || context.space.steps.every((step) => step > 0))) {
    return { state: next, record: { ranked: ranked.map(({ id }) => id) } };
  }
  const unit = randomUnit(context);
  return {
    state: stateAt([...unit], context.space.steps),
    record: { start: { mean: [...unit], population: 2 * population, pending: [] } },
  };
}

function randomUnit({ spec, space, id }: Context): Float64Array {
  const stream = createStream(spec.seed, id, purposes.uniform);
  const unit = Float64Array.from({ length: space.size }, () => stream.uniform());
  space.spread(unit);
  return unit;
}

const isSettled = ({ state }: Trial): boolean => state === "complete" || state === "failed";

/** Best first, failed ones last, equals in the order of asking. */
function byScore(a: Trial, b: Trial): number {
  const rankOf = ({ score }: Trial): number => score?.value ?? Number.NEGATIVE_INFINITY;
  return Math.sign(rankOf(b) - rankOf(a)) || a.id - b.id;
}
