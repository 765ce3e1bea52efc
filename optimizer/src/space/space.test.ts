import fc from "fast-check";
import { expect, test } from "vitest";
import { createSpace, type Dimension } from "./space.ts";

const dimensions: readonly Dimension[] = [
  { name: "weight", kind: "float", low: -0.3, high: 1.1 },
  { name: "rate", kind: "float", low: 1e-5, high: 0.1, scale: "log" },
  { name: "rank", kind: "integer", low: 1, high: 7 },
  { name: "base", kind: "float", low: 0.25, high: 0.25 },
];

test("any unit point maps to values inside the ranges, and snapped points survive the round trip", () => {
  const space = createSpace(dimensions);
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.tuple(unit, unit, unit), (coordinates) => {
      const point = Float64Array.from(coordinates);
      space.snap(point);
      const values = space.toValues(point);
      space.check(values);
      expect(Object.keys(values)).toEqual(["weight", "rate", "rank", "base"]);
      const back = space.toUnit(values);
      for (let k = 0; k < 3; k++) expect(back[k]).toBeCloseTo(point[k]!, 9);
      expect(space.toValues(back)["rank"]).toBe(values["rank"]);
    }),
    { seed: 8 },
  );
});

test("the ends of every range are reached exactly, and fixed dimensions are not searched", () => {
  const space = createSpace(dimensions);
  expect(space.freeNames).toEqual(["weight", "rate", "rank"]);
  expect(space.toValues([0, 0, 0])).toEqual({ weight: -0.3, rate: 1e-5, rank: 1, base: 0.25 });
  expect(space.toValues([1, 1, 1])).toEqual({ weight: 1.1, rate: 0.1, rank: 7, base: 0.25 });
  expect(space.toValues([0, 0.5, 0])["rate"]).toBeCloseTo(1e-3, 12);
});

test("only spaces whose dimensions share one range have a line of equal values", () => {
  const coefficient = (name: string, high = 1): Dimension => ({ name, kind: "float", low: 0, high });
  expect(createSpace([coefficient("a"), coefficient("b")]).hasSharedRange).toBe(true);
  expect(createSpace([coefficient("a"), coefficient("b", 2)]).hasSharedRange).toBe(false);
});

test.each([
  [[], /no dimension to search/],
  [[{ name: "a", kind: "float", low: 1, high: 1 }], /no dimension to search/],
  [[{ name: "a", kind: "float", low: 2, high: 1 }], /"a": low 2 is above high 1/],
  [[{ name: "a", kind: "float", low: 0, high: Number.POSITIVE_INFINITY }], /must be finite/],
  [[{ name: "a", kind: "float", low: -1e308, high: 1e308 }], /too wide/],
  [[{ name: "a", kind: "float", low: 0, high: 1, scale: "log" }], /log scale needs 0 < low/],
  [[{ name: "a", kind: "integer", low: 0, high: 1.5 }], /whole ends/],
  [[{ name: "", kind: "float", low: 0, high: 1 }], /non-empty name/],
  [
    [
      { name: "a", kind: "float", low: 0, high: 1 },
      { name: "a", kind: "float", low: 0, high: 1 },
    ],
    /declared twice/,
  ],
] as const)("a malformed space is refused with the rule it breaks (%#)", (malformed, message) => {
  expect(() => createSpace(malformed as readonly Dimension[])).toThrow(message);
});

test("values are checked by name, range and wholeness", () => {
  const { check } = createSpace(dimensions);
  const good = { weight: 0, rate: 0.01, rank: 3, base: 0.25 };
  check(good);
  expect(() => check({ ...good, wieght: 1 })).toThrow(/unknown dimension "wieght"/);
  expect(() => check({ weight: 0, rate: 0.01, rank: 3 })).toThrow(/no value for dimension "base"/);
  expect(() => check({ ...good, weight: 1.2 })).toThrow(/outside \[-0.3, 1.1\]/);
  expect(() => check({ ...good, weight: Number.NaN })).toThrow(/outside/);
  expect(() => check({ ...good, rank: 2.5 })).toThrow(/not whole/);
});
