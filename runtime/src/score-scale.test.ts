import { expect, test } from "vitest";
import { formatScore, scaleOf } from "./score-scale.ts";

test("fractions are shown in percent, mean log-likelihoods as perplexities, other numbers as they are", () => {
  expect(formatScore("accuracy", 0.71249, 0.00871)).toBe("71.2 ±0.9");
  expect(formatScore("exact_match", 1, 0)).toBe("100.0 ±0.0");
  expect(formatScore("perplexity", -Math.log(20), 0.01)).toBe("20.00 ±0.20");
  expect(formatScore("bleu", 27.318, 0.5)).toBe("27.32 ±0.50");
  expect(formatScore("score", 123_456, 7)).toBe("123500 ±7.0");
});

test("intervals rise as they are shown, and of perplexities what is less is better", () => {
  expect(scaleOf("accuracy").interval(0.7, 0.75)).toBe("70.0 to 75.0");
  expect(scaleOf("perplexity").interval(-Math.log(20), -Math.log(10))).toBe("10.00 to 20.00");
  expect([-1, 1].map(scaleOf("perplexity").side)).toEqual(["worse than", "better than"]);
  expect([-1, 1].map(scaleOf("bleu").side)).toEqual(["below", "above"]);
});

test("an axis shows the score itself, so that up is better for every metric", () => {
  expect(scaleOf("exact_match")).toMatchObject({ title: "exact match, %", axis: "exact match, %", factor: 100 });
  expect(scaleOf("perplexity")).toMatchObject({
    title: "perplexity",
    axis: "log-likelihood, nats",
    factor: 1,
  });
  expect(scaleOf("")).toMatchObject({ title: "score", unit: "", differenceUnit: "" });
});
