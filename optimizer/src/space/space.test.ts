import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Dimension, Values } from "./dimensions.ts";
import { createSpace, type Space } from "./space.ts";

const weight: Dimension = { name: "weight", kind: "float", low: -0.3, high: 1.1 };
const rate: Dimension = { name: "rate", kind: "float", low: 1e-5, high: 0.1, scale: "log" };
const rank: Dimension = { name: "rank", kind: "integer", low: 1, high: 7 };
const size: Dimension = { name: "size", kind: "integer", low: 1, high: 4096, scale: "log" };
const huge: Dimension = { name: "huge", kind: "integer", low: -(2 ** 39), high: 2 ** 39 - 1 };
const method: Dimension = { name: "method", kind: "categorical", choices: ["ties", "dare", 7, "linear"] };
const mix: Dimension = { name: "mix", kind: "simplex", members: ["a", "b", "c", "d"] };
const base: Dimension = { name: "base", kind: "float", low: 0.25, high: 0.25 };
const fixed: Dimension = { name: "dtype", kind: "fixed", value: "bf16" };
const everything: readonly Dimension[] = [weight, base, rate, rank, method, fixed, size, mix, huge];

/** Points of the cube, its faces and corners often among them. */
const points = (space: Space): fc.Arbitrary<Float64Array> =>
  fc
    .array(fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1, 0.5, 1 - 1e-9)), {
      minLength: space.size,
      maxLength: space.size,
    })
    .map((coordinates) => Float64Array.from(coordinates));

/** Equal, but for rests of a stick too small to be shared. */
function expectNear(values: Values, wanted: Values): void {
  const isWeight = (name: string): boolean => mix.kind === "simplex" && mix.members.includes(name);
  for (const [name, value] of Object.entries(wanted)) {
    if (isWeight(name)) expect(Math.abs(Number(values[name]) - Number(value))).toBeLessThan(1e-6);
    else expect(values[name]).toBe(value);
  }
}

describe.each(everything.map((dimension) => [dimension.name, [dimension, weight === dimension ? rate : weight]]))(
  "a space with %s",
  (_, dimensions) => {
    const space = createSpace(dimensions as Dimension[]);

    test("maps every point of the cube to values of the space, and snapped points survive the round trip", () => {
      fc.assert(
        fc.property(points(space), (point) => {
          space.check(space.toValues(point));
          const snapped = point.slice();
          space.snap(snapped);
          expectNear(space.toValues(snapped), space.toValues(point));
          const back = space.toUnit(space.toValues(snapped));
          for (let k = 0; k < space.size; k++) expect(Math.abs(back[k]! - snapped[k]!)).toBeLessThan(1e-9);
        }),
        { numRuns: 300 },
      );
    });

    test("snaps once and for all, and spreads into the space", () => {
      fc.assert(
        fc.property(points(space), (point) => {
          space.snap(point);
          const again = point.slice();
          space.snap(again);
          for (let k = 0; k < space.size; k++) expect(Math.abs(again[k]! - point[k]!)).toBeLessThan(1e-9);
          space.spread(point);
          space.check(space.toValues(point));
          for (const u of point) expect(u >= 0 && u <= 1).toBe(true);
        }),
      );
    });

    test("gives neighbours that differ in one discrete dimension only, each once, and are points of the space", () => {
      fc.assert(
        fc.property(points(space), (point) => {
          space.snap(point);
          const values = space.toValues(point);
          for (const group of space.groups) {
            const others = group.neighbours(point).map((other) => space.toValues(other));
            expect(others.length > 0).toBe(space.steps[group.from]! > 0);
            for (const other of others) {
              expect(Object.keys(values).filter((name) => values[name] !== other[name])).toEqual([group.name]);
            }
            expect(new Set(others.map((other) => other[group.name])).size).toBe(others.length);
          }
        }),
      );
    });

    test("has grids whose points differ, and are kept by a grid of twice as many intervals", () => {
      for (const { name, from, to, gridSize, gridPoint } of space.groups) {
        if (name === "huge") continue;
        const grid = (levels: number): string[] =>
          Array.from({ length: Number(gridSize(levels)) }, (_, index) => {
            const unit = Float64Array.from(space.centre);
            unit.set(gridPoint(levels, BigInt(index)), from);
            expect(gridPoint(levels, BigInt(index))).toHaveLength(to - from);
            space.snap(unit);
            return JSON.stringify(
              Object.values(space.toValues(unit)).map((v) => (typeof v === "number" ? v.toFixed(9) : v)),
            );
          });
        for (const levels of [2, 3, 5]) {
          const coarse = grid(levels);
          // The narrow bins of a log scale may hold two levels.
          if (name !== "size") expect(new Set(coarse).size).toBe(coarse.length);
          expect(grid(2 * levels - 1)).toEqual(expect.arrayContaining(coarse));
        }
      }
    });
  },
);

test("values come in the order of the dimensions, and fixed ones are not searched", () => {
  const space = createSpace(everything);
  expect(space.groups.map(({ name, from, to }) => [name, from, to])).toEqual([
    ["weight", 0, 1],
    ["rate", 1, 2],
    ["rank", 2, 3],
    ["method", 3, 7],
    ["size", 7, 8],
    ["mix", 8, 11],
    ["huge", 11, 12],
  ]);
  const values = space.toValues(space.centre);
  expect(Object.keys(values).join(" ")).toBe("weight base rate rank method dtype size a b c d huge");
  expect(values).toMatchObject({
    base: 0.25,
    rank: 4,
    method: "ties",
    dtype: "bf16",
    a: 0.25,
    b: 0.25,
    c: 0.25,
    d: 0.25,
  });
});

test("the ends of every range are reached exactly", () => {
  const space = createSpace([weight, rate, rank, size, huge]);
  const ends = (unit: number): Values => space.toValues(space.centre.map(() => unit));
  expect(ends(0)).toEqual({ weight: -0.3, rate: 1e-5, rank: 1, size: 1, huge: -(2 ** 39) });
  expect(ends(1)).toEqual({ weight: 1.1, rate: 0.1, rank: 7, size: 4096, huge: 2 ** 39 - 1 });
  expect(space.toValues([0, 0.5, 0, 0, 0])["rate"]).toBeCloseTo(1e-3, 12);
});

test("weights of a simplex are >= 0 and add up to exactly 1, whatever the point", () => {
  const space = createSpace([{ name: "mix", kind: "simplex", members: Array.from({ length: 9 }, (_, k) => `m${k}`) }]);
  fc.assert(
    fc.property(points(space), (point) => {
      const weights = Object.values(space.toValues(point)).map(Number);
      expect(weights.every((one) => one >= 0)).toBe(true);
      expect(weights.reduce((sum, one) => sum + one, 0)).toBe(1);
    }),
    { numRuns: 2000 },
  );
});

test("every face and corner of a simplex is a point of the cube, and the shares of an empty rest are no difference", () => {
  const space = createSpace([mix]);
  const corner = { a: 0, b: 1, c: 0, d: 0 };
  expect(space.toValues(space.toUnit(corner))).toEqual(corner);
  expect(space.toValues(space.toUnit({ a: 0, b: 0.5, c: 0, d: 0.5 }))).toEqual({ a: 0, b: 0.5, c: 0, d: 0.5 });
  const [one, other] = [Float64Array.of(1, 0.2, 0.9), Float64Array.of(1, 0.7, 0)];
  space.snap(one);
  space.snap(other);
  expect(one).toEqual(other);
});

test("spread points are uniform on the simplex, and choose every choice equally often", () => {
  const space = createSpace([mix, method]);
  const sobol = createSobol(space.size, createStream(3, 0, purposes.start));
  const count = 4096;
  const sums: Record<string, number> = {};
  let aboveHalf = 0;
  for (let index = 0; index < count; index++) {
    const unit = new Float64Array(space.size);
    sobol.point(index, unit);
    space.spread(unit);
    const values = space.toValues(unit);
    for (const member of ["a", "b", "c", "d"]) sums[member] = (sums[member] ?? 0) + Number(values[member]) / count;
    sums[String(values["method"])] = (sums[String(values["method"])] ?? 0) + 1 / count;
    if (Number(values["d"]) > 0.5) aboveHalf += 1 / count;
  }
  for (const share of Object.values(sums)) expect(share).toBeCloseTo(0.25, 2);
  // P(w > 1/2) = (1/2)^3 for a weight of a uniform point of four members.
  expect(aboveHalf).toBeCloseTo(0.125, 2);
});

test("no choice is nearer to one than to another", () => {
  const space = createSpace([method]);
  const units = ["ties", "dare", 7, "linear"].map((choice) => space.toUnit({ method: choice }));
  for (const one of units) {
    const distances = units
      .filter((other) => other !== one)
      .map((other) => Math.hypot(...one.map((u, k) => u - other[k]!)));
    for (const distance of distances) expect(distance).toBeCloseTo(Math.SQRT2, 12);
  }
});

test("numbers of a log scale are as far apart as their logarithms", () => {
  const space = createSpace([size]);
  const at = (value: number): number => space.toUnit({ size: value })[0]!;
  expect(at(1024) - at(512)).toBeCloseTo(at(128) - at(64), 3);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4096 }), (value) => {
      expect(space.toValues([at(value)])).toEqual({ size: value });
    }),
  );
});

test("only spaces whose dimensions share one range have a line of equal values", () => {
  const coefficient = (name: string, high = 1): Dimension => ({ name, kind: "float", low: 0, high });
  expect(createSpace([coefficient("a"), coefficient("b"), base]).hasSharedRange).toBe(true);
  expect(createSpace([coefficient("a"), coefficient("b", 2)]).hasSharedRange).toBe(false);
  expect(createSpace([mix]).hasSharedRange).toBe(false);
  expect(createSpace([method, { ...method, name: "other" }]).hasSharedRange).toBe(false);
});

const choices = (list: readonly unknown[]): unknown => ({ name: "a", kind: "categorical", choices: list });

test.each([
  [[], /no dimension to search: give at least one/],
  [[{ name: "a", kind: "float", low: 1, high: 1 }], /no dimension to search/],
  [[{ name: "a", kind: "float", low: 2, high: 1 }], /"a": low 2 is above high 1/],
  [[{ name: "a", kind: "float", low: 0, high: Number.POSITIVE_INFINITY }], /must be finite/],
  [[{ name: "a", kind: "float", low: "0", high: 1 }], /must be finite/],
  [[{ name: "a", kind: "float", low: -1e308, high: 1e308 }], /too wide/],
  [[{ name: "a", kind: "float", low: 0, high: 1, scale: "log" }], /log scale needs 0 < low/],
  [[{ name: "a", kind: "float", low: 0, high: 1, scale: "logit" }], /scale must be "linear" or "log", not "logit"/],
  [[{ name: "a", kind: "integer", low: 0, high: 1.5 }], /whole ends/],
  [[{ name: "a", kind: "integer", low: 0, high: 8, scale: "log" }], /needs low >= 1, not 0/],
  [[{ name: "a", kind: "integer", low: 0, high: 2 ** 41 }], /too many whole numbers/],
  [[{ name: "a", kind: "bool" }], /"a": kind must be .* not "bool"/],
  [[{ name: "", kind: "float", low: 0, high: 1 }], /non-empty name/],
  [[weight, weight], /"weight" is declared twice/],
  [[mix, { ...weight, name: "c" }], /"c" is declared twice/],
  [[{ ...mix, name: "a" }], /"a" is declared twice/],
  [[{ ...mix, members: ["a"] }], /at least two members/],
  [[{ ...mix, members: ["a", "a"] }], /"a" is declared twice/],
  [[choices([])], /at least one/],
  [[choices(["x", "y", "x"])], /the choice "x" is there twice/],
  [[choices(["x", Number.NaN])], /strings or finite numbers/],
  [[choices(Array.from({ length: 65 }, (_, k) => k))], /65 choices are more than 64/],
  [[weight, { name: "a", kind: "fixed", value: null }], /"a": a fixed value must be a string or a finite number/],
] as const)("a malformed space is refused with the rule it breaks (%#)", (malformed, message) => {
  expect(() => createSpace(malformed as readonly unknown[] as readonly Dimension[])).toThrow(message);
});

test("values are checked by name, range, wholeness, choice and sum", () => {
  const { check } = createSpace([weight, rate, rank, base, method, mix, fixed]);
  const good = { weight: 0, rate: 0.01, rank: 3, base: 0.25, method: 7, a: 0.1, b: 0.2, c: 0.3, d: 0.4, dtype: "bf16" };
  check(good);
  check({ ...good, a: 1 / 3, b: 1 / 3, c: 1 / 3, d: 0 });
  const { base: _, ...without } = good;
  expect(() => check({ ...good, wieght: 1 })).toThrow(/unknown dimension "wieght"/);
  expect(() => check(without)).toThrow(/no value for dimension "base"/);
  expect(() => check({ ...good, weight: 1.2 })).toThrow(/outside \[-0.3, 1.1\]/);
  expect(() => check({ ...good, weight: Number.NaN })).toThrow(/outside/);
  expect(() => check({ ...good, weight: "0" })).toThrow(/value "0" of dimension "weight" is not a number/);
  expect(() => check({ ...good, rank: 2.5 })).toThrow(/not whole/);
  expect(() => check({ ...good, base: 0.3 })).toThrow(/value 0.3 of dimension "base" must be 0.25: it is fixed/);
  expect(() => check({ ...good, dtype: "f16" })).toThrow(/must be "bf16"/);
  expect(() => check({ ...good, method: "7" })).toThrow(/value "7" .* is not one of "ties", "dare", 7, "linear"/);
  expect(() => check({ ...good, a: 0.2 })).toThrow(/weights of simplex "mix" sum to 1.1: divide each by that/);
  expect(() => check({ ...good, a: -0.1, d: 0.6 })).toThrow(/weight -0.1 of "a" in simplex "mix" is not >= 0/);
});
