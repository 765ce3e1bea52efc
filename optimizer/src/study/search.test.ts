// Does it optimise? The recommended point against random search with the same budget and the same noise, by the true
// score, over seeds. Deterministic, so a failure is a regression rather than bad luck.

import { expect, test } from "vitest";
import { createStudy } from "../index.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { branin, coordinates, hartmann6, mergeLike, type Problem, run } from "../testing/problems.ts";

const seeds = [1, 2, 3];

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function searched(problem: Problem, seed: number, budget: number, inFlight: number): number {
  const study = createStudy({ dimensions: problem.dimensions, seed });
  run(study, problem, budget, inFlight, seed);
  return problem.score(coordinates(problem, study.recommend()!.values));
}

/** Random search recommends its best observed point: all it has. */
function random(problem: Problem, seed: number, budget: number): number {
  const stream = createStream(seed, 0, purposes.candidates);
  const tried = Array.from({ length: budget }, (_, id) => {
    const x = problem.dimensions.map(({ low, high }) => low + (high - low) * stream.uniform());
    return { x, observed: problem.observe(x, createStream(seed, id, purposes.fantasies)).values[0]! };
  });
  return problem.score(tried.reduce((a, b) => (b.observed > a.observed ? b : a)).x);
}

test.each([
  { name: "Branin", problem: branin, budget: 26, inFlight: 1, within: 0.1 },
  { name: "Hartmann 6", problem: hartmann6, budget: 40, inFlight: 1, within: 0.15 },
  { name: "Hartmann 6, four in flight", problem: hartmann6, budget: 40, inFlight: 4, within: 0.3 },
])("$name: the median seed is near the optimum and beats random search", ({ problem, budget, inFlight, within }) => {
  const found = seeds.map((seed) => searched(problem, seed, budget, inFlight));
  expect(median(found)).toBeGreaterThan(median(seeds.map((seed) => random(problem, seed, budget))));
  expect(problem.optimum - median(found)).toBeLessThan(within);
});

test.each([
  { name: "four coefficients, the quickstart's size", problem: mergeLike(4, 500), budget: 24, inFlight: 2 },
  { name: "eight coefficients", problem: mergeLike(8, 100), budget: 32, inFlight: 4 },
])("noisy merge coefficients ($name) beat random search for most seeds and in the median", (scenario) => {
  const { problem, budget, inFlight } = scenario;
  const found = seeds.map((seed) => searched(problem, seed, budget, inFlight));
  const drawn = seeds.map((seed) => random(problem, seed, budget));
  expect(median(found)).toBeGreaterThan(median(drawn));
  expect(found.filter((score, k) => score > drawn[k]!).length).toBeGreaterThanOrEqual(2);
});
