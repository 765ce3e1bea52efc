import fc from "fast-check";
import { expect, test } from "vitest";
import { createStream, purposes } from "../numerics/rng.ts";
import { observationsAt, representativeRows } from "./subset.ts";

function random(count: number, d: number, seed: number): { points: Float64Array; targets: Float64Array } {
  const stream = createStream(seed, 0, purposes.start);
  return {
    points: Float64Array.from({ length: count * d }, () => stream.uniform()),
    targets: Float64Array.from({ length: count }, () => Math.round(4 * stream.normal())),
  };
}

test("as many rows as asked for, each once and in order; all of them where there is room", () => {
  const share = fc.integer({ min: 0, max: 30 });
  const quotas = fc.record({ best: share, near: share, latest: share, spread: share });
  fc.assert(
    fc.property(quotas, fc.integer({ min: 1, max: 90 }), fc.nat({ max: 100 }), (quota, count, seed) => {
      const { points, targets } = random(count, 2, seed);
      const rows = representativeRows(points, 2, targets, quota);
      const wanted = quota.best + quota.near + quota.latest + quota.spread;
      expect(rows).toHaveLength(Math.min(wanted, count));
      expect([...rows]).toEqual([...new Set(rows)].toSorted((a, b) => a - b));
    }),
    { seed: 1 },
  );
});

test("the best, the nearest to the best and the latest are among them", () => {
  const { points, targets } = random(200, 3, 4);
  targets[77] = 1000;
  for (let k = 0; k < 3; k++) points[130 * 3 + k] = points[77 * 3 + k]! + 1e-6;
  const rows = representativeRows(points, 3, targets, { best: 1, near: 1, latest: 3, spread: 0 });
  expect([...rows]).toEqual([77, 130, 197, 198, 199]);
});

test("the rest is spread out: no point of a dense cloud is taken twice before a far one", () => {
  const points = Float64Array.from({ length: 100 }, (_, i) => (i < 97 ? 0.5 + i * 1e-4 : [0, 1, 0.25][i - 97]!));
  const targets = Float64Array.from({ length: 100 }, (_, i) => (i === 0 ? 1 : 0));
  const rows = representativeRows(points, 1, targets, { best: 1, near: 0, latest: 0, spread: 3 });
  expect([...rows]).toEqual([0, 97, 98, 99]);
});

test("rows of the data are taken whole", () => {
  const data = {
    dimension: 2,
    count: 3,
    points: Float64Array.of(1, 2, 3, 4, 5, 6),
    targets: Float64Array.of(7, 8, 9),
    noiseVariances: Float64Array.of(0.1, 0.2, 0.3),
  };
  expect(observationsAt(data, Uint32Array.of(0, 2))).toEqual({
    dimension: 2,
    count: 2,
    points: Float64Array.of(1, 2, 5, 6),
    targets: Float64Array.of(7, 9),
    noiseVariances: Float64Array.of(0.1, 0.3),
  });
});
