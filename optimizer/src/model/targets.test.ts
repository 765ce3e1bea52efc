import fc from "fast-check";
import { expect, test } from "vitest";
import { standardise, winsoriseLow } from "./targets.ts";

const scores = (values: readonly number[], standardError?: number) => values.map((value) => ({ value, standardError }));

test("the median becomes 0 and the best 1, and they map back to the scores", () => {
  const values = [0.61, 0.64, 0.7, 0.58, 0.66];
  const { offset, scale, targets } = standardise(scores(values));
  expect(targets[1]).toBeCloseTo(0, 12);
  expect(targets[2]).toBeCloseTo(1, 12);
  for (const [i, value] of values.entries()) expect(offset + scale * targets[i]!).toBeCloseTo(value, 12);
});

test("known standard errors become variances in target units", () => {
  const { scale, noiseVariances, isNoiseKnown } = standardise(scores([1, 2, 3], 0.5));
  expect(noiseVariances[0]).toBeCloseTo((0.5 / scale) ** 2, 12);
  expect(isNoiseKnown).toBe(true);
  expect(standardise([...scores([1, 2], 0.5), ...scores([3])]).isNoiseKnown).toBe(false);
});

test("one catastrophic score is pulled up to the fence and the others keep their contrast", () => {
  const clipped = winsoriseLow([0.5, 0.52, 0.55, 0.51, -1e6, 0.53]);
  expect(Math.min(...clipped)).toBeGreaterThan(0);
  expect(clipped.toSpliced(4, 1)).toEqual([0.5, 0.52, 0.55, 0.51, 0.53]);
  expect(winsoriseLow([3, 3, 3, 3, 3, 3, -1e6]).at(-1)).toBe(-1e6);
});

test("any finite scores give finite targets", () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
  const outcome = fc.record({ value: finite, standardError: fc.option(finite.map(Math.abs), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(outcome, { minLength: 1, maxLength: 20 }), (outcomes) => {
      const { targets, noiseVariances } = standardise(outcomes);
      for (const t of targets) expect(Math.abs(t)).toBeLessThan(1001);
      for (const v of noiseVariances) expect(v >= 0 && v <= 1e6).toBe(true);
    }),
    { seed: 9 },
  );
});
