import fc from "fast-check";
import { expect, test } from "vitest";
import { combineScores, itemResults, packResults } from "./item-results.ts";
import { partScore, scoreOf } from "./testing/events.ts";

const bits = fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 40 });
const floats = fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 1, maxLength: 40 });

test("packed results are unpacked as they were", () => {
  fc.assert(
    fc.property(bits, (results) => {
      expect([...itemResults(partScore(...results))!]).toEqual(results);
    }),
  );
  expect(itemResults(scoreOf(0.5))).toBeUndefined();
  expect(packResults(new Uint8Array(0))).toEqual({ bits: "" });
});

test("results that are other numbers are kept in float32, and combined as such", () => {
  fc.assert(
    fc.property(floats, floats, (first, second) => {
      const scores = [first, second].map((values) => {
        return { ...scoreOf(0), items: values.length, perItem: packResults(Float32Array.from(values)) };
      });
      expect(itemResults(scores[0]!)).toEqual(Float32Array.from(first));
      expect(itemResults(combineScores(scores[0]!, scores[1]!))).toEqual(Float32Array.from([...first, ...second]));
    }),
  );
});

test("results of another number of items are none", () => {
  expect(itemResults({ ...scoreOf(0), items: 3, perItem: packResults(Float32Array.of(1, 2)) })).toBeUndefined();
});

test("two parts make the score of their items together", () => {
  fc.assert(
    fc.property(bits, bits, (first, second) => {
      const combined = combineScores(partScore(...first), partScore(...second));
      const whole = partScore(...first, ...second);
      expect(combined).toEqual({
        ...whole,
        score: expect.closeTo(whole.score, 12),
        loss: expect.closeTo(whole.loss, 12),
        standardError: expect.any(Number),
      });
      // Within parts only: never more than the error of all items.
      expect(combined.standardError).toBeLessThanOrEqual(whole.standardError + 1e-12);
    }),
  );
});

test("what is not known item by item of one part is not known of both", () => {
  expect(combineScores(partScore(1, 0), scoreOf(0.5)).perItem).toBeUndefined();
});
