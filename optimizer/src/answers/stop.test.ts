import { expect, test } from "vitest";
import { createStudy, replay, type Study, type StudySpec } from "../index.ts";
import { createStream, purposes, type RandomStream } from "../numerics/rng.ts";
import { floats } from "../testing/problems.ts";

const spec: StudySpec = { dimensions: floats(2, 0, 1), seed: 2 };
const best = { x0: 0.4, x1: 0.7 };
const score = (x0: number, x1: number): number => -((x0 - best.x0) ** 2) - 2 * (x1 - best.x1) ** 2;

/** Adds observations around the best point, as a search makes them, within `radius` of it. */
function observe(study: Study, stream: RandomStream, trials: number, radius: number, standardError: number): void {
  const near = (centre: number): number => Math.min(1, Math.max(0, centre + radius * (2 * stream.uniform() - 1)));
  for (let k = 0; k < trials; k++) {
    const [x0, x1] = [near(best.x0), near(best.x1)];
    const values = [score(x0, x1) + standardError * stream.normal()];
    study.addObservation({ x0, x1 }, standardError === 0 ? { values } : { values, standardErrors: [standardError] });
  }
}

/** The score that the recommended point lacks. */
function regret(study: Study): number {
  const { x0, x1 } = study.recommend()!.values;
  return -score(Number(x0), Number(x1));
}

test("a search stops when little is left to gain beside the noise, and not before", () => {
  const study = createStudy(spec);
  const stream = createStream(1, 0, purposes.start);
  observe(study, stream, 13, 0.6, 0.03);
  const before = study.shouldStop();
  expect(before.stop).toBe(false);
  expect(before.reason).toMatch(/expected to gain .* above .* 0.33 of the noise of a score/);
  observe(study, stream, 30, 0.15, 0.03);
  const after = study.shouldStop();
  expect(after).toMatchObject({ stop: true, trials: 43 });
  expect(after.noise).toBeCloseTo(0.03, 2);
  expect(after.threshold).toBeCloseTo(after.noise / 3, 12);
  expect(regret(study)).toBeLessThan(after.noise);
  expect(replay(spec, study.events).shouldStop()).toEqual(after);
});

test("few trials never stop a search, however sure the model is", () => {
  const study = createStudy({ ...spec, initialTrials: 4 });
  for (let k = 0; k < 8; k++) {
    expect(study.shouldStop()).toMatchObject({ stop: false, reason: `${k} of at least 8 trials` });
    study.addObservation({ x0: k / 8, x1: 0.5 }, { values: [1] });
  }
  expect(study.shouldStop().reason).toMatch(/expected to gain/);
});

test("what is expected to be left to gain is what is left to gain, in its order of magnitude", () => {
  const stream = createStream(3, 0, purposes.start);
  for (const [trials, radius] of [
    [8, 0.6],
    [14, 0.6],
  ] as const) {
    const study = createStudy(spec);
    observe(study, stream, trials, radius, 0);
    const { expectedRemainingImprovement } = study.shouldStop();
    expect(expectedRemainingImprovement).toBeGreaterThan(regret(study) / 5);
    expect(expectedRemainingImprovement).toBeLessThan(regret(study) * 20);
  }
});

test("without noise the search goes on, unless what is left to gain is too little to care for", () => {
  const study = createStudy(spec);
  const stream = createStream(4, 0, purposes.start);
  observe(study, stream, 14, 0.5, 0);
  const { stop, expectedRemainingImprovement } = study.shouldStop();
  expect(stop).toBe(false);
  const tolerance = 2 * expectedRemainingImprovement;
  const satisfied = study.shouldStop({ tolerance });
  expect(satisfied).toMatchObject({ stop: true, threshold: tolerance });
  expect(satisfied.reason).toMatch(/within .* the tolerance/);
  expect(study.shouldStop({ tolerance, leastTrials: 15 })).toMatchObject({
    stop: false,
    reason: "14 of at least 15 trials",
  });
  expect(() => study.shouldStop({ noiseShare: -1 })).toThrow(/noiseShare of stopping must be a number >= 0/);
});
