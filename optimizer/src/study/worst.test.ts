// The worst of several noisy tasks. Deterministic, so a failure is a regression rather than bad luck.

import { expect, test } from "vitest";
import { createStudy, type Study, type StudySpec } from "../index.ts";
import { mergeLike } from "../testing/merge-like.ts";
import { replayedAsks } from "../testing/prefixes.ts";
import { coordinates, evaluationStream } from "../testing/problem.ts";

const items = 200;
const problem = mergeLike(4, items);
const metrics = ["a", "b", "c", "d"];
const spec: StudySpec = { dimensions: problem.dimensions, seed: 1, metrics, objective: { kind: "worst" } };
/** The highest worst accuracy in the box, found beforehand. */
const optimum = 0.4611;

function drive(study: Study, trials: number, seed: number): void {
  for (let k = 0; k < trials; k++) {
    const { id, values } = study.ask();
    const correct = problem.count(coordinates(problem, values), evaluationStream(seed, id));
    const smoothed = correct.map((count) => (count + 1) / (items + 2));
    study.tell(id, {
      values: correct.map((count) => count / items),
      standardErrors: smoothed.map((share) => Math.sqrt((share * (1 - share)) / items)),
    });
  }
}

test("the recommended point is nearly the best worst, and is believed to be what it is", () => {
  for (const seed of [1, 2]) {
    const study = createStudy({ ...spec, seed });
    drive(study, 24, seed);
    const { values, mean, standardDeviation } = study.recommend()!;
    const worst = Math.min(...problem.accuracies(coordinates(problem, values)));
    expect(worst).toBeGreaterThan(optimum - 0.03);
    expect(Math.abs(mean - worst)).toBeLessThan(0.03);
    expect(standardDeviation).toBeLessThan(0.05);
    // Against all coefficients at 0.3, whose worst accuracy is known too.
    const baseline = Object.fromEntries(problem.dimensions.map(({ name }) => [name, 0.3]));
    const gain = study.improvementOver([baseline]);
    expect(Math.abs(gain.mean - (worst - Math.min(...problem.accuracies([0.3, 0.3, 0.3, 0.3]))))).toBeLessThan(0.04);
  }
});

test("normalised by experts it is the task that keeps least of its expert; bounds hold meanwhile", () => {
  const experts = [0.6, 0.9, 0.9, 0.9];
  const objective = { kind: "worst", normalise: { experts } } as const;
  const study = createStudy({ ...spec, objective, constraints: [{ metric: "d", atLeast: 0.5 }] });
  drive(study, 22, 3);
  const { values, mean, probabilityFeasible } = study.recommend()!;
  const accuracies = problem.accuracies(coordinates(problem, values));
  const worst = Math.min(...accuracies.map((accuracy, task) => accuracy / experts[task]!));
  expect(Math.abs(mean - worst)).toBeLessThan(0.06);
  expect(probabilityFeasible).toBeGreaterThanOrEqual(0.9);
  expect(accuracies[3]).toBeGreaterThan(0.48);
});

test("every prefix of the search proposes what the search went on to propose", () => {
  const study = createStudy(spec);
  drive(study, 13, 4);
  const asks = replayedAsks(study);
  expect(asks.length).toBeGreaterThanOrEqual(12);
  for (const { asked, replayed } of asks) expect(replayed).toBe(asked);
});

test("the worst of one metric is that metric", () => {
  const [worst, mean] = (["worst", "mean"] as const).map((kind) =>
    createStudy({ ...spec, metrics: ["a"], objective: { kind } }),
  );
  for (let k = 0; k < 10; k++) {
    const asked = [worst!, mean!].map((study) => study.ask());
    expect(asked[0]).toEqual(asked[1]);
    for (const study of [worst!, mean!]) study.tell(k, { values: [Math.sin(k)] });
  }
});
