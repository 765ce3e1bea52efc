import fc from "fast-check";
import { expect, test } from "vitest";
import { createStream, purposes } from "../numerics/rng.ts";
import { standardise, warpTargets } from "./targets.ts";
import { normalisingPower, yeoJohnson, yeoJohnsonInverse, yeoJohnsonSlope } from "./warp.ts";

const powers = fc.double({ min: 0, max: 2, noNaN: true });
const reals = fc.double({ min: -50, max: 50, noNaN: true });

test("the transform is undone by its inverse and its slope is its slope", () => {
  fc.assert(
    fc.property(reals, powers, (z, power) => {
      const scale = 1 + Math.abs(z);
      expect(yeoJohnsonInverse(yeoJohnson(z, power), power) / scale).toBeCloseTo(z / scale, 9);
      const step = 1e-4 * scale;
      const rise = (yeoJohnson(z + step, power) - yeoJohnson(z - step, power)) / (2 * step);
      const slope = yeoJohnsonSlope(z, power);
      expect(rise / slope).toBeCloseTo(1, 3);
    }),
    { seed: 31 },
  );
});

test("power 1 changes nothing; powers 0 and 2 are logarithms on one side", () => {
  for (const z of [-3, -0.2, 0, 0.7, 5]) expect(yeoJohnson(z, 1)).toBeCloseTo(z, 12);
  expect(yeoJohnson(4, 0)).toBeCloseTo(Math.log(5), 12);
  expect(yeoJohnson(-4, 2)).toBeCloseTo(-Math.log(5), 12);
});

test("the power that makes scores normal is found again", () => {
  const stream = createStream(1, 0, purposes.start);
  for (const power of [0.3, 1, 1.7]) {
    const normal = Float64Array.from({ length: 2000 }, () => 0.5 * stream.normal());
    expect(normalisingPower(normal.map((t) => yeoJohnsonInverse(t, power)))).toBeCloseTo(power, 1);
  }
});

test("warped targets have mean 0 and deviation 1, keep the order of the scores and map back to them", () => {
  const values = [0.1, 0.5, 0.62, 0.66, 0.7, 0.71, 0.72];
  const scores = standardise(values.map((value) => ({ value, standardError: 0.01 })));
  const { targets, unwarp, slope, noiseVariances } = warpTargets(scores, 1.6);
  expect(targets.reduce((sum, t) => sum + t, 0)).toBeCloseTo(0, 12);
  expect(targets.reduce((sum, t) => sum + t * t, 0) / targets.length).toBeCloseTo(1, 12);
  expect([...targets]).toEqual([...targets].toSorted((a, b) => a - b));
  for (const [i, target] of targets.entries()) {
    expect(unwarp(target)).toBeCloseTo(scores.targets[i]!, 12);
    // The same noise is more of the target where the transform is steep.
    expect(noiseVariances[i]).toBeCloseTo(scores.noiseVariances[i]! / slope(target) ** 2, 12);
  }
});

test("the Jacobian makes densities of differently warped scores comparable", () => {
  const scores = standardise([1, 2, 2.5, 4, 7].map((value) => ({ value, standardError: undefined })));
  const { targets, logSlopes } = warpTargets(scores, 0.4);
  const step = 1e-6;
  const moved = (by: number): Float64Array => scores.targets.map((z) => z + by);
  // Shift and scale of the second standardisation are held fixed by warping all at once: compare summed log slopes.
  const rises = moved(step).map((z, i) => (yeoJohnson(z, 0.4) - yeoJohnson(scores.targets[i]!, 0.4)) / step);
  const warped = scores.targets.map((z) => yeoJohnson(z, 0.4));
  const spread = (warped[4]! - warped[0]!) / (targets[4]! - targets[0]!);
  expect(logSlopes.reduce((sum, slope) => sum + slope, 0)).toBeCloseTo(
    rises.reduce((sum, rise) => sum + Math.log(rise / spread), 0),
    4,
  );
});
