import fc from "fast-check";
import { expect, test } from "vitest";
import { combineScores, itemResults, packResults } from "./item-results.ts";
import { partScore, scoreOf } from "./testing/events.ts";

const bits = fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 40 });

test("packed results are unpacked as they were", () => {
  fc.assert(
    fc.property(bits, (results) => {
      expect([...itemResults(partScore(...results))!]).toEqual(results);
    }),
  );
  expect(itemResults(scoreOf(0.5))).toBeUndefined();
  expect(packResults(new Uint8Array(0))).toBe("");
});

test("two parts make the score of their items together", () => {
  fc.assert(
    fc.property(bits, bits, (first, second) => {
      const combined = combineScores(partScore(...first), partScore(...second));
      const whole = partScore(...first, ...second);
      expect(combined).toEqual({
        ...whole,
        accuracy: expect.closeTo(whole.accuracy, 12),
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
