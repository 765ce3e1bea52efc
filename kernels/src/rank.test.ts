import fc from "fast-check";
import { expect, test } from "vitest";
import { rankFractions } from "./rank.ts";

test("ranks run from 0 to 1 in the order of the values, equal ones by index", () => {
  const value = fc.oneof(fc.float({ noNaN: true }), fc.constantFrom(0, -0, 1, 2));
  fc.assert(
    fc.property(fc.array(value, { minLength: 2, maxLength: 300 }), (values) => {
      const order = values.map((x, i) => ({ x, i })).sort((a, b) => (a.x === b.x ? a.i - b.i : a.x - b.x));
      const expected = new Float32Array(values.length);
      order.forEach(({ i }, rank) => {
        expected[i] = rank / (values.length - 1);
      });
      expect(rankFractions(Float32Array.from(values))).toEqual(expected);
    }),
  );
});

test("one value is in the middle", () => {
  expect(rankFractions(Float32Array.of(3))).toEqual(Float32Array.of(0.5));
});
