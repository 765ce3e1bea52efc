import fc from "fast-check";
import { expect, test } from "vitest";
import { answerDraws, sampleItems } from "./draws.ts";

const total = fc.integer({ min: 0, max: 300 });
const wanted = fc.integer({ min: 1, max: 300 });
const seed = fc.nat();

test("a sample has the wanted number of distinct items in their order, or all", () => {
  fc.assert(
    fc.property(total, wanted, seed, fc.string(), (all, count, from, task) => {
      const items = sampleItems(all, count, from, task);
      expect(items).toHaveLength(Math.min(all, count));
      expect(items).toEqual([...new Set(items)].sort((a, b) => a - b));
      expect(items.every((item) => item >= 0 && item < all)).toBe(true);
      expect(sampleItems(all, count, from, task)).toEqual(items);
    }),
  );
});

test("a larger sample has the items of a smaller one", () => {
  fc.assert(
    fc.property(total, wanted, seed, (all, count, from) => {
      const larger = new Set(sampleItems(all, count + 5, from, "task"));
      expect(sampleItems(all, count, from, "task").every((item) => larger.has(item))).toBe(true);
    }),
  );
});

test("over seeds and tasks every item is drawn equally often", () => {
  const [all, count, draws] = [20, 5, 4000];
  const times = new Array<number>(all).fill(0);
  for (let i = 0; i < draws; i++) for (const item of sampleItems(all, count, i >> 1, `task ${i & 1}`)) times[item]!++;
  const chance = count / all;
  const deviation = Math.sqrt(draws * chance * (1 - chance));
  for (const each of times) expect(Math.abs(each - draws * chance)).toBeLessThan(5 * deviation);
});

test("draws are uniform, and one does not depend on how many are asked for", () => {
  const draws = answerDraws(7, "speech", 3, 4096);
  expect(answerDraws(7, "speech", 3, 10)).toEqual(draws.subarray(0, 10));
  expect(draws.every((draw) => draw >= 0 && draw < 1)).toBe(true);
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(5 / Math.sqrt(12 * draws.length));
  expect(answerDraws(7, "speech", 4, 1)).not.toEqual(draws.subarray(0, 1));
  expect(answerDraws(8, "speech", 3, 1)).not.toEqual(draws.subarray(0, 1));
});
