import { expect, test } from "vitest";
import { conditionProcess, type GaussianProcess, predictLatent, type TrainingData } from "../model/gp.ts";
import { matern52 } from "../model/kernels/matern52.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { knowledgeGradients } from "./knowledge-gradient.ts";
import { logImprovement } from "./log-improvement.ts";

const theta = Float64Array.of(Math.log(0.3), 0, Math.log(1e-6));
const at = (x: number): Float64Array => Float64Array.of(x);

/** Mean fixed at zero, so that a further observation does not move it. */
function process(points: readonly number[], targets: readonly number[], variances: readonly number[]): GaussianProcess {
  const data: TrainingData = {
    dimension: 1,
    count: points.length,
    points: Float64Array.from(points),
    targets: Float64Array.from(targets),
    noiseVariances: Float64Array.from(variances),
  };
  return conditionProcess(data, matern52, theta, 0);
}

const points = [0.1, 0.35, 0.5, 0.9];
const targets = [0.2, 0.7, 0.9, -0.8];

test.each([0.5, 0.42, 0.75])("a noisy evaluation at %d: the rise of the best posterior mean, simulated", (x) => {
  const noise = 0.09;
  const gp = process(points, targets, [noise, noise, noise, noise]);
  const rivals = [0.35, 0.5].map(at);
  const best = (of: GaussianProcess, candidates: readonly Float64Array[]): number =>
    Math.max(...candidates.map((one) => predictLatent(of, one).mean));
  const stream = createStream(1, 0, purposes.fantasies);
  const { mean, variance } = predictLatent(gp, at(x));
  let sum = 0;
  const draws = 4000;
  for (let k = 0; k < draws; k++) {
    const told = mean + Math.sqrt(variance + noise) * stream.normal();
    sum += best(process([...points, x], [...targets, told], new Array<number>(5).fill(noise)), [...rivals, at(x)]);
  }
  const input = { gp, rivals, pending: [], noiseVariance: noise + gp.nugget };
  const [gain] = knowledgeGradients(input, [at(x)]) as [number];
  expect(gain).toBeCloseTo(sum / draws - best(gp, rivals), 2);
  expect(gain).toBeGreaterThan(0.01);
});

test("without noise it is expected improvement over the best rival", () => {
  const gp = process(points, targets, [0, 0, 0, 0]);
  const [gain] = knowledgeGradients({ gp, rivals: [at(0.5)], pending: [], noiseVariance: 0 }, [at(0.6)]);
  const { mean, variance } = predictLatent(gp, at(0.6));
  const deviation = Math.sqrt(variance);
  const improvement = deviation * Math.exp(logImprovement((mean - predictLatent(gp, at(0.5)).mean) / deviation));
  expect(gain).toBeCloseTo(improvement, 2);
});

test("what is in flight need not be asked again, and what is known has no value", () => {
  const gp = process(points, targets, [0.09, 0.09, 0.09, 0.09]);
  const gainWith = (pending: readonly number[]): number =>
    knowledgeGradients({ gp, rivals: [0.35, 0.5].map(at), pending: pending.map(at), noiseVariance: 0.09 + gp.nugget }, [
      at(0.5),
    ])[0]!;
  expect(gainWith([0.5, 0.5])).toBeLessThan(0.6 * gainWith([]));
  const exact = process(points, targets, [0, 0, 0, 0]);
  const known = knowledgeGradients({ gp: exact, rivals: [at(0.5)], pending: [], noiseVariance: 0 }, [at(0.5)]);
  expect(known[0]).toBeLessThan(1e-3);
});
