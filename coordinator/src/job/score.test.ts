import { expect, test } from "vitest";
import { scoreProblem } from "./score.ts";
import { scoreOf } from "./testing/events.ts";

test("scores of a sound evaluation are believed", () => {
  for (const accuracy of [0, 0.5, 1]) expect(scoreProblem(scoreOf(accuracy))).toBeUndefined();
});

test("numbers that no evaluation can give are named", () => {
  const sound = scoreOf(0.5);
  expect(scoreProblem({ ...sound, accuracy: Number.NaN })).toBe("its accuracy is NaN");
  expect(scoreProblem({ ...sound, accuracy: 1e300 })).toBe("its accuracy is 1e+300");
  expect(scoreProblem({ ...sound, standardError: -0.1 })).toBe("the standard error of its accuracy is -0.1");
  expect(scoreProblem({ ...sound, loss: Number.POSITIVE_INFINITY })).toBe("its loss is Infinity");
  expect(scoreProblem({ ...sound, items: 0 })).toBe("it counts 0 items");
  expect(scoreProblem({ ...sound, correct: 1001 })).toBe("it counts 1001 correct of 1000 items");
});
