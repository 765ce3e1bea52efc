import fc from "fast-check";
import { expect, test } from "vitest";
import { type Labelled, scoreClassification, standardError } from "./score.ts";

const place = (item: number): string => `data.jsonl:${item + 1}`;
const row = (label: number, ...logits: number[]): Labelled => ({ label, logits: Float32Array.from(logits) });

test("accuracy, loss and the items' marks count the task's labels only", () => {
  const rows = [row(0, 99, 2, 1, 99), row(1, 99, 2, 1, 99), row(1, -99, 0, 0.5, -99)];
  const score = scoreClassification(rows, { offset: 1, labels: 2 }, place);
  const [near, far, half] = [Math.log(1 + Math.exp(-1)), Math.log(1 + Math.exp(1)), Math.log(1 + Math.exp(-0.5))];
  expect(score).toMatchObject({ items: 3, metric: "accuracy", score: 2 / 3, perItem: Uint8Array.from([1, 0, 1]) });
  expect(score.standardError).toBeCloseTo(Math.sqrt(2 / 9 / 3), 12);
  expect(score.loss).toBeCloseTo((near + far + half) / 3, 12);
});

test("of equal logits the first wins", () => {
  const score = scoreClassification([row(0, 1, 1), row(1, 1, 1)], { offset: 0, labels: 2 }, place);
  expect([...score.perItem!]).toEqual([1, 0]);
});

test("huge logits give a finite loss", () => {
  const score = scoreClassification([row(0, 3e38, -3e38), row(1, 3e38, -3e38)], { offset: 0, labels: 2 }, place);
  expect(score.loss).toBeCloseTo(Math.fround(3e38), -33);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  "%s in the task's logits is an error that names the item",
  (bad) => {
    const rows = [row(0, 1, 2, bad), row(0, 1, bad, 2)];
    expect(() => scoreClassification(rows, { offset: 0, labels: 2 }, place)).toThrow(
      /^data.jsonl:2: non-finite logits/,
    );
    expect(() => scoreClassification(rows.slice(0, 1), { offset: 0, labels: 2 }, place)).not.toThrow();
  },
);

test("no items is an error, not a NaN", () => {
  expect(() => scoreClassification([], { offset: 0, labels: 2 }, place)).toThrow("there are no items to score");
});

test("the standard error is the plug-in one, and positive also when all items are right or wrong", () => {
  expect(standardError(50, 100)).toBeCloseTo(0.05, 12);
  const property = fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(5000), (items, some) => {
    const correct = Math.min(some, items);
    const error = standardError(correct, items);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThanOrEqual(0.5 / Math.sqrt(items) + 1e-12);
    expect(error).toBeCloseTo(standardError(items - correct, items), 12);
  });
  fc.assert(property);
});
