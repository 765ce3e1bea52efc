import { expect, test } from "vitest";
import { formatScore, scaleOf } from "./score-scale.ts";

test("fractions are shown in percent, mean log-likelihoods as perplexities, other numbers as they are", () => {
  expect(formatScore("accuracy", 0.71249, 0.00871)).toBe("71.2 ±0.9");
  expect(formatScore("exact_match", 1, 0)).toBe("100.0 ±0.0");
  expect(formatScore("perplexity", -Math.log(20), 0.01)).toBe("20.00 ±0.20");
  expect(formatScore("bleu", 27.318, 0.5)).toBe("27.32 ±0.50");
  expect(formatScore("score", 123_456, 7)).toBe("123500 ±7.0");
});

test("an axis shows the score itself, so that up is better for every metric", () => {
  expect(scaleOf("exact_match")).toMatchObject({ title: "exact match, %", axis: "exact match, %", factor: 100 });
  expect(scaleOf("perplexity")).toMatchObject({
    title: "perplexity",
    axis: "log-likelihood of a token, nats",
    factor: 1,
  });
  expect(scaleOf("")).toMatchObject({ title: "score", unit: "", differenceUnit: "" });
});
