import fc from "fast-check";
import { expect, test } from "vitest";
import { answersOf } from "./answers.ts";

const logLikelihoods = fc.array(fc.double({ min: -30, max: 0, noNaN: true }), { minLength: 1, maxLength: 6 });

test("exact: all answers, weighted by the chances that the model gives them", () => {
  fc.assert(
    fc.property(logLikelihoods, (values) => {
      const answers = answersOf("exact", values, { truth: 0, uniform: 0 });
      expect(answers.map(({ answer }) => answer)).toEqual([...values.keys()]);
      const sum = values.reduce((total, value) => total + Math.exp(value), 0);
      for (const { answer, weight } of answers) expect(weight).toBeCloseTo(Math.exp(values[answer]!) / sum, 10);
    }),
  );
  const never = answersOf("exact", [0, -2000], { truth: 1, uniform: 0 });
  expect(never).toEqual([{ answer: 0, weight: 1 }]);
});

test("sampled: over all uniform numbers an answer is drawn as often as its chance says", () => {
  const grid = 256;
  fc.assert(
    fc.property(logLikelihoods, (values) => {
      const times = values.map(() => 0);
      for (let i = 0; i < grid; i++) {
        const [{ answer, weight }, ...others] = answersOf("sampled", values, { truth: 0, uniform: i / grid }) as [
          { answer: number; weight: number },
        ];
        expect([weight, others]).toEqual([1, []]);
        times[answer]!++;
      }
      for (const { answer, weight } of answersOf("exact", values, { truth: 0, uniform: 0 }))
        expect(Math.abs(times[answer]! / grid - weight)).toBeLessThanOrEqual(1 / grid);
    }),
    { numRuns: 30 },
  );
});

test("empirical: the labelled answer, whatever the model thinks", () => {
  expect(answersOf("empirical", [], { truth: 2, uniform: 0.9 })).toEqual([{ answer: 2, weight: 1 }]);
});
