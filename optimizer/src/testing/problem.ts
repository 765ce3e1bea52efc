// What a test problem is, and the loop that runs a study on one. Scores and metrics are maximised.

import { createStream, purposes, type RandomStream } from "../numerics/rng.ts";
import type { Dimension, FloatDimension, Values } from "../space/dimensions.ts";
import type { Outcome } from "../study/events.ts";
import type { Study } from "../study/study.ts";

export interface Problem<Searched extends Dimension = FloatDimension> {
  readonly dimensions: readonly Searched[];
  /** The true score; `x` as by `coordinates`. */
  readonly score: (x: readonly number[]) => number;
  /** What an evaluator reports at `x`. */
  readonly observe: (x: readonly number[], noise: RandomStream) => Outcome;
  /** The highest true score. */
  readonly optimum: number;
}

export function floats(count: number, low: number, high: number): FloatDimension[] {
  return Array.from({ length: count }, (_, k) => ({ name: `x${k}`, kind: "float", low, high }));
}

/** A problem whose evaluator reports the true score. */
export function exact<Searched extends Dimension>(
  dimensions: readonly Searched[],
  optimum: number,
  score: Problem["score"],
): Problem<Searched> {
  return { dimensions, optimum, score, observe: (x) => ({ values: [score(x)] }) };
}

/** The same problem observed with N(0, standardDeviation²) noise that the evaluator does not know of. */
export function withNoise(problem: Problem, standardDeviation: number): Problem {
  return { ...problem, observe: (x, noise) => ({ values: [problem.score(x) + standardDeviation * noise.normal()] }) };
}

/** The same problem with normal noise whose standard error, log-uniform in [low, high], differs by trial and is told. */
export function withKnownNoise(problem: Problem, low: number, high: number): Problem {
  return {
    ...problem,
    observe(x, noise) {
      const standardError = low * (high / low) ** noise.uniform();
      return { values: [problem.score(x) + standardError * noise.normal()], standardErrors: [standardError] };
    },
  };
}

/** The same problem in `count` dimensions of [0, 1], of which only those at `positions` matter. */
export function embedded(problem: Problem, count: number, positions: readonly number[]): Problem {
  return exact(floats(count, 0, 1), problem.optimum, (x) => problem.score(positions.map((position) => x[position]!)));
}

/** Random numbers of a simulated evaluation, of no study: a study's seeds are below 2^40. */
export function evaluationStream(seed: number, trial: number): RandomStream {
  return createStream(seed + 2 ** 40, trial, purposes.start);
}

/** The values in the order of the dimensions, of a simplex all members. Choices must be numbers. */
export function coordinates({ dimensions }: { readonly dimensions: readonly Dimension[] }, values: Values): number[] {
  const names = dimensions.flatMap((one) => (one.kind === "simplex" ? one.members : [one.name]));
  return names.map((name) => Number(values[name]));
}

/** Runs `budget` trials with `inFlight` asked ahead, told in the order they were asked. */
export function run(study: Study, problem: Problem, budget: number, inFlight = 1, noiseSeed = 0): void {
  const pending: { id: number; values: Values }[] = [];
  for (let done = 0; done < budget; done++) {
    while (pending.length < inFlight && done + pending.length < budget) pending.push(study.ask());
    const { id, values } = pending.shift()!;
    study.tell(id, problem.observe(coordinates(problem, values), createStream(noiseSeed, id, purposes.fantasies)));
  }
}
