import fc from "fast-check";
import { expect, test } from "vitest";
import { bucketOf } from "./relative-positions.ts";

test("the buckets of T5's default are those of transformers, on borders of the logarithmic scale too", () => {
  const distances = [-200, -128, -127, -91, -90, -64, -32, -31, -16, -15, -12, -11, -8, -7, -1, 0, 1, 8, 16, 64, 128];
  const buckets = (bidirectional: boolean): number[] =>
    distances.map((distance) => bucketOf(distance, { count: 32, maxDistance: 128, bidirectional }));
  expect(buckets(true)).toEqual([15, 15, 15, 15, 14, 14, 12, 11, 10, 9, 9, 8, 8, 7, 1, 0, 17, 24, 26, 30, 31]);
  expect(buckets(false)).toEqual([31, 31, 31, 29, 29, 26, 21, 21, 16, 15, 12, 11, 8, 7, 1, 0, 0, 0, 0, 0, 0]);
});

test("buckets are below their count, grow with the distance, and beyond the largest distance are one", () => {
  const settings = fc.record({
    count: fc.integer({ min: 4, max: 80 }),
    farther: fc.integer({ min: 1, max: 200 }),
    bidirectional: fc.boolean(),
    distance: fc.integer({ min: 0, max: 500 }),
  });
  const property = fc.property(settings, ({ count, farther, bidirectional, distance }) => {
    const maxDistance = Math.floor(count / 2) + farther;
    const bucket = (each: number): number => bucketOf(each, { count, maxDistance, bidirectional });
    expect(bucket(0)).toBe(0);
    expect(bucket(-1)).toBe(1);
    expect(bucket(-distance - 1)).toBeGreaterThanOrEqual(bucket(-distance));
    expect(bucket(-maxDistance - distance)).toBe(bucket(-maxDistance));
    const half = Math.floor(count / 2);
    expect(bucket(-maxDistance)).toBe((bidirectional ? half : count) - 1);
    expect(bucket(distance + 1)).toBe(bidirectional ? half + bucket(-distance - 1) : 0);
  });
  fc.assert(property);
});
