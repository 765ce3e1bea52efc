import { expect, test } from "vitest";
import type { SearchSection } from "../recipe/index.ts";
import { MEAN } from "../recipe/search-goal.ts";
import { searchTaskProblems } from "./search-tasks.ts";

const search = (changes: Partial<SearchSection>): SearchSection => ({
  strategy: "bayesian",
  trials: 8,
  parallel: 1,
  racing: false,
  objective: MEAN,
  constraints: [],
  stop: "never",
  coefficients: [],
  start: [],
  ...changes,
});
const task = (name: string, kind: string) => ({ name, kind });
const wiki = task("wiki", "perplexity");
const acc = task("acc", "classification");

test("a perplexity can be maximised, kept near an expert's, and be raced; it is no fraction", () => {
  const near = [{ kind: "loses_at_most", amount: 0.1 } as const];
  expect(searchTaskProblems(search({ racing: true, constraints: near }), [wiki, acc])).toEqual([]);
  const problems = searchTaskProblems(
    search({ objective: { kind: "mean", normalised: true }, constraints: [{ kind: "at_least", amount: 0.5 }] }),
    [wiki, acc],
  );
  expect(problems).toEqual([
    expect.stringMatching(/divides by the experts' scores, and that of the perplexity task `wiki` is a log-likelihood/),
    expect.stringMatching(/says nothing of the perplexity task `wiki`: use `loses_at_most`/),
  ]);
  expect(
    searchTaskProblems(search({ constraints: [{ task: "acc", kind: "at_least", amount: 0.5 }] }), [wiki, acc]),
  ).toEqual([]);
});

test("trials do not race where a command scores all items at once", () => {
  const command = task("lm-eval", "command");
  expect(searchTaskProblems(search({}), [command])).toEqual([]);
  expect(searchTaskProblems(search({ racing: true }), [command, acc])).toEqual([
    expect.stringMatching(/task `lm-eval` runs a command, which scores all: leave `racing` out/),
  ]);
});
