import fc from "fast-check";
import { expect, test } from "vitest";
import { addExact, ExactAdder, exactly, roundExact, ZERO } from "./exact-sum.ts";

const total = (xs: readonly number[]): number => roundExact(xs.map(exactly).reduce(addExact, ZERO));

test("a single value comes back unchanged", () => {
  fc.assert(
    fc.property(fc.double(), (x) => {
      expect(total([x])).toBe(x + 0);
    }),
  );
});

test("the sum is the same in any order", () => {
  fc.assert(
    fc.property(fc.array(fc.double()), fc.integer(), (xs, seed) => {
      const mixed = xs.map((x, i) => ({ x, at: Math.imul(i + 1, seed | 1) })).sort((a, b) => a.at - b.at);
      expect(total(mixed.map(({ x }) => x))).toBe(total(xs));
    }),
  );
});

test("nothing is lost to cancellation, and only the end is rounded", () => {
  expect(total([1e308, 1, -1e308])).toBe(1);
  expect(total([1e308, 1e308, -1e308])).toBe(1e308);
  expect(total([2 ** 53, 1, 2 ** -40])).toBe(2 ** 53 + 2);
  expect(total([2 ** 53, 1])).toBe(2 ** 53);
  expect(total([5e-324, 5e-324])).toBe(1e-323);
});

test("infinities and NaN win", () => {
  expect(total([Infinity, 1])).toBe(Infinity);
  expect(total([Infinity, -Infinity])).toBeNaN();
  expect(total([Number.NaN, 1])).toBeNaN();
});

test("an adder gives the same sum", () => {
  fc.assert(
    fc.property(fc.array(fc.double()), (xs) => {
      const adder = new ExactAdder();
      for (const x of xs) adder.add(x);
      expect(adder.result()).toEqual(xs.map(exactly).reduce(addExact, ZERO));
    }),
  );
});
