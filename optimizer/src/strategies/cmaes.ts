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

export function createCmaes(): Strategy {
  /** Runs so far, by stage: the records of trials never change, so each ask reads those that came since the last. */
  const runs = new Map<string | undefined, { readonly trials: number; readonly run: Run | undefined }>();
  return (context) => {
    const { spec, space, ledger, stage, id } = context;
    const known = runs.get(stage);
    let run = known?.run;
    for (const trial of ledger.trials.slice(known?.trials)) run = afterAsk(context, run, trial);
    runs.set(stage, { trials: ledger.trials.length, run });
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
}

interface Run {
  readonly state: CmaState;
  readonly population: number;
  /** Trials drawn from the state. */
  readonly own: ReadonlyMap<number, CmaRecord>;
  /** Trials of earlier generations and of others that it may still take in. */
  readonly foreign: ReadonlySet<number>;
}

interface Change {
  readonly state: CmaState;
  readonly record: Omit<CmaRecord, "point">;
}

/** The run after one more trial was asked for; undefined before the first of this stage. */
function afterAsk({ space, ledger, stage }: Context, before: Run | undefined, trial: Trial): Run | undefined {
  const cma = trial.stage === stage ? trial.cma : undefined;
  const run = cma?.start === undefined ? before : runFrom(cma.start, space.steps);
  if (run === undefined) return undefined;
  if (cma === undefined) return { ...run, foreign: new Set([...run.foreign, trial.id]) };
  if (cma.ranked === undefined) return { ...run, own: new Map([...run.own, [trial.id, cma]]) };
  const units = new Map(ledger.trials.map((other) => [other.id, other.unit]));
  const state = updateCma(
    run.state,
    cma.ranked.map((id) => rankedPoint(run, id, units)),
  );
  const left = new Set([...run.foreign, ...run.own.keys()].filter((id) => !cma.ranked!.includes(id)));
  return { ...run, state, own: new Map([[trial.id, cma]]), foreign: left };
}
function runFrom({ mean, population, pending }: NonNullable<CmaRecord["start"]>, steps: readonly number[]): Run {
  return { state: stateAt(mean, steps), population, own: new Map(), foreign: new Set(pending) };
}

const stateAt = (mean: readonly number[], steps: readonly number[]): CmaState =>
  startCma({ mean, sigma: defaultSigma, steps });

function rankedPoint({ own }: Run, id: number, units: ReadonlyMap<number, Float64Array>): RankedPoint {
  const drawn = own.get(id);
  return drawn === undefined ? { point: units.get(id)!, isForeign: true } : { point: drawn.point };
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
  const { space, ledger } = context;
  const { state, population } = run;
  const settled = ledger.trials.filter((trial) => run.own.has(trial.id) && isSettled(trial)).toSorted(byScore);
  const scored = settled.filter(({ score }) => score !== undefined);
  // With fewer scores the ranking says nothing of the better half.
  if (settled.length < population || scored.length < population / 2) return undefined;
  const median = settled[Math.floor(settled.length / 2)]!;
  const foreign = ledger.completed().filter((trial) => run.foreign.has(trial.id) && byScore(trial, median) < 0);
  const ranked = [...settled, ...foreign.toSorted(byScore).slice(0, population / 2)].toSorted(byScore);
  const units = new Map(ranked.map(({ id, unit }) => [id, unit]));
  const next = updateCma(
    state,
    ranked.map(({ id }) => rankedPoint(run, id, units)),
  );
  const isFlat = scored.every(({ score }) => score!.value === scored[0]!.score!.value);
  const isPoint = space.steps.includes(0) && spreadOf(next) < smallestSpread;
  if (!isFlat && !isPoint) return { state: next, record: { ranked: ranked.map(({ id }) => id) } };
  const mean = [...randomUnit(context)];
  return {
    state: stateAt(mean, space.steps),
    record: { start: { mean, population: 2 * population, pending: [] } },
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
