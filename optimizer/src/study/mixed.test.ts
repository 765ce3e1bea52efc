// Searches of spaces that are not boxes, with optima that are known.

import { expect, test } from "vitest";
import { createStudy, type Dimension, type Study, type Values } from "../index.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSpace } from "../space/space.ts";

const seeds = [1, 2];

function search(dimensions: readonly Dimension[], seed: number, trials: number, score: (v: Values) => number): Study {
  const study = createStudy({ dimensions, seed });
  for (let k = 0; k < trials; k++) {
    const { id, values } = study.ask();
    study.tell(id, { values: [score(values)] });
  }
  return study;
}

test("a choice, a log scale and a whole number are found together, whatever the seed", () => {
  const dimensions: Dimension[] = [
    { name: "method", kind: "categorical", choices: ["linear", "slerp", "ties", "dare", "della"] },
    { name: "rate", kind: "float", low: 1e-5, high: 1, scale: "log" },
    { name: "rank", kind: "integer", low: 1, high: 64 },
  ];
  const bonus: Record<string, number> = { linear: 0.2, slerp: 0.3, ties: 0.9, dare: 0.5, della: 0 };
  // Each choice has its own best rank, so the best of one says little of another's.
  const best: Record<string, number> = { linear: 8, slerp: 60, ties: 22, dare: 40, della: 1 };
  const score = ({ method, rate, rank }: Values): number =>
    bonus[String(method)]! -
    (Math.log10(Number(rate)) + 3) ** 2 / 4 -
    ((Number(rank) - best[String(method)]!) / 32) ** 2;
  for (const seed of seeds) {
    const { values } = search(dimensions, seed, 32, score).recommend()!;
    expect(values["method"]).toBe("ties");
    expect(Math.abs(Number(values["rank"]) - 22)).toBeLessThanOrEqual(3);
    expect(score(values)).toBeGreaterThan(0.88);
  }
});

test("weights that sum to 1 are found inside the simplex and on its faces", () => {
  const members = ["a", "b", "c", "d", "e"];
  const optima: Record<string, number>[] = [
    { a: 0.3, b: 0.1, c: 0.25, d: 0.2, e: 0.15 },
    { a: 0, b: 0.6, c: 0, d: 0.4, e: 0 },
  ];
  for (const optimum of optima) {
    const score = (values: Values): number =>
      -members.reduce((sum, member) => sum + (Number(values[member]) - optimum[member]!) ** 2, 0);
    const study = search([{ name: "mix", kind: "simplex", members }], 1, 28, score);
    expect(score(study.recommend()!.values)).toBeGreaterThan(-0.005);
    for (const { values } of study.trials()) {
      expect(members.reduce((sum, member) => sum + Number(values[member]), 0)).toBe(1);
    }
  }
});

test("what matters is told by dimension: all weights of a simplex are one, and so are all choices", () => {
  const dimensions: Dimension[] = [
    { name: "mix", kind: "simplex", members: ["a", "b", "c"] },
    { name: "method", kind: "categorical", choices: ["x", "y", "z"] },
    { name: "unused", kind: "integer", low: 0, high: 9 },
    { name: "dtype", kind: "fixed", value: "bf16" },
  ];
  const score = (v: Values): number => Number(v["c"]) + (v["method"] === "y" ? 1 : 0);
  const importance = search(dimensions, 1, 22, score).importance();
  expect(Object.keys(importance)).toEqual(["mix", "method", "unused", "dtype"]);
  expect(importance["method"]!.share).toBeGreaterThan(0.5);
  expect(importance["mix"]!.share).toBeGreaterThan(0.1);
  expect(importance["unused"]!.share).toBeLessThan(0.1);
  expect(importance["dtype"]!.share).toBe(0);
});

test.each<[string, (k: number) => number]>([
  ["constant", () => 0.5],
  ["failures, mostly", (k) => (k % 3 ? Number.NaN : k)],
  ["the same but for one catastrophe", (k) => (k === 4 ? -1e6 : 0.1)],
])("scores that are %s: proposals are points of the space, and differ", (_, scoreOf) => {
  const dimensions: Dimension[] = [
    { name: "mix", kind: "simplex", members: ["a", "b", "c"] },
    { name: "method", kind: "categorical", choices: ["x", "y", "z"] },
    { name: "rank", kind: "integer", low: 1, high: 1024, scale: "log" },
    { name: "rate", kind: "float", low: 1e-4, high: 1, scale: "log" },
  ];
  const space = createSpace(dimensions);
  const study = createStudy({ dimensions, seed: 5, initialTrials: 8 });
  study.enqueue({ a: 1, b: 0, c: 0, method: "z", rank: 1024, rate: 1e-4 });
  for (let k = 0; k < 15; k++) {
    study.ask();
    // Two in flight.
    if (k > 0) study.tell(k - 1, { values: [scoreOf(k)] });
  }
  const points = study.trials().map(({ values }) => values);
  for (const values of points) space.check(values);
  expect(new Set(points.map((values) => JSON.stringify(values))).size).toBe(15);
});

test("a small space is covered once before anything in it is repeated, though scores are mostly noise", () => {
  const dimensions: Dimension[] = [
    { name: "method", kind: "categorical", choices: ["x", "y", "z"] },
    { name: "rank", kind: "integer", low: 0, high: 6 },
  ];
  const study = createStudy({ dimensions, seed: 2 });
  const noise = createStream(1, 0, purposes.start);
  for (let k = 0; k < 23; k++) {
    const { id, values } = study.ask();
    study.tell(id, { values: [0.05 * Number(values["rank"]) + 0.5 * noise.normal()], standardErrors: [0.5] });
  }
  const points = study.trials().map(({ values }) => JSON.stringify(values));
  expect(new Set(points.slice(0, 21)).size).toBe(21);
});
