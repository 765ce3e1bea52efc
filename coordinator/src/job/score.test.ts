import { expect, test } from "vitest";
import { packResults } from "./item-results.ts";
import { scoreProblem } from "./score.ts";
import { scoreOf } from "./testing/events.ts";

test("scores of a sound evaluation are believed", () => {
  for (const accuracy of [0, 0.5, 1]) expect(scoreProblem(scoreOf(accuracy))).toBeUndefined();
});

test("numbers that no evaluation can give are named", () => {
  const sound = scoreOf(0.5);
  expect(scoreProblem({ ...sound, score: Number.NaN })).toBe("its accuracy is NaN");
  expect(scoreProblem({ ...sound, score: 1e300 })).toBe("its accuracy is 1e+300");
  expect(scoreProblem({ ...sound, metric: "exact_match", score: -1 })).toBe("its exact match is -1");
  expect(scoreProblem({ ...sound, metric: "" })).toBe("it does not say what it measures");
  expect(scoreProblem({ ...sound, standardError: -0.1 })).toBe("the standard error of its accuracy is -0.1");
  expect(scoreProblem({ ...sound, loss: Number.POSITIVE_INFINITY })).toBe("its loss is Infinity");
  expect(scoreProblem({ ...sound, items: 0 })).toBe("it counts 0 items");
  const results = { items: 2, perItem: packResults(Uint8Array.of(1, 0)) };
  expect(scoreProblem({ ...sound, ...results, score: 0.75 })).toBe("its accuracy is 0.75, but 0.5 item by item");
});

test("a score of another metric is any finite number, as long as its items have that mean", () => {
  const sound = { ...scoreOf(0.5), items: 2, metric: "perplexity", score: -3.5 };
  expect(scoreProblem(sound)).toBeUndefined();
  expect(scoreProblem({ ...sound, perItem: packResults(Float32Array.of(-3, -4)) })).toBeUndefined();
  expect(scoreProblem({ ...sound, perItem: packResults(Float32Array.of(-3, -5)) })).toContain("but -4 item by item");
  expect(scoreProblem({ ...sound, score: Number.NEGATIVE_INFINITY })).toBe("its perplexity is -Infinity");
});
