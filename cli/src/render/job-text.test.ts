import { expect, test } from "vitest";
import { planning, scored, searching } from "../testing/job-view.ts";
import {
  bestSoFar,
  bestTrial,
  claimLine,
  coefficientText,
  constraintsText,
  importanceText,
  liveLines,
  plainLines,
  progressBar,
  scoreTable,
} from "./job-text.ts";

const t0 = scored("t0", "trial", 0.7, { coefficients: { "weight[a]": 0.3, "weight[b]": 0.7, lambda: 1 } });
const t1 = scored("t1", "trial", 0.8);

test("coefficients of one parameter share its name", () => {
  expect(coefficientText(t0.coefficients!)).toBe("weight[a=0.300 b=0.700] lambda=1.000");
  expect(coefficientText({})).toBe("");
});

test("groups of tensors are in their model's parentheses, and what has one value everywhere is one value", () => {
  const groups = (a: number, b: number, c: number, d: number) =>
    coefficientText({
      "weight[a][layers 1/2]": a,
      "weight[a][layers 2/2]": b,
      "weight[b][layers 1/2]": c,
      "weight[b][layers 2/2]": d,
    });
  expect(groups(0.1, 0.2, 0.3, 0.3)).toBe("weight[a(layers 1/2=0.100 layers 2/2=0.200) b=0.300]");
  expect(groups(0.3, 0.3, 0.3, 0.3)).toBe("weight=0.300");
  expect(coefficientText({ "t[layer 0][mlp]": 0.5, "t[layer 0][rest]": 1 })).toBe("t[layer 0(mlp=0.500 rest=1.000)]");
  expect(coefficientText({ "t[mlp]": 0.5, "t[rest]": 0.5 })).toBe("t[mlp=0.500 rest=0.500]");
});

test("of a search from coarse to fine, the stage is told with each trial", () => {
  const trial = { ...t1, stage: "scale" };
  expect(plainLines(searching([]), searching([trial]))).toEqual(["trial t1 (1/3, stage scale): 80.0 ±1.0"]);
  expect(liveLines(searching([trial]))[1]).toMatch(/ 1\/3, stage scale {3}best/);
});

test("what models are weighted by is told, with what was estimated for it", () => {
  const made = { estimate: "per_trial", made: 12, reused: 3, seconds: 90 };
  const line =
    "Fisher information at each candidate's coefficients: 12 estimates in 1 min 30 s of evaluators, 3 more found made";
  expect(importanceText(searching([], { importance: made }))).toBe(line);
  expect(liveLines(searching([t0], { importance: made }))).toContain(`weighted ${line}`);
  expect(importanceText(searching([], { importance: { estimate: "files" } }))).toBe("Fisher information from files");
  expect(importanceText(searching([]))).toBeUndefined();
  expect(liveLines(searching([{ ...t0, state: "estimating" }])).at(-1)).toContain("t0: estimating");
});

test("a bar is full when there is nothing to do", () => {
  expect(progressBar(0, 0)).toBe(progressBar(5, 5));
  expect(progressBar(0, 5)).not.toContain("━");
});

test("the best trial is the highest that has a score, the earlier of equals", () => {
  const failed = { id: "t2", role: "trial", state: "failed", objective: 1 };
  expect(bestTrial(searching([t0, t1, { ...t1, id: "t9" }, failed]))?.id).toBe("t1");
  expect(bestTrial(searching([failed]))).toBeUndefined();
});

test("a trial that keeps the constraints is better than one that does not, and what a trial misses is said", () => {
  const missing = { ...t1, unmet: ["two"] };
  expect(bestTrial(searching([missing, t0]))?.id).toBe("t0");
  expect(bestTrial(searching([missing]))?.id).toBe("t1");
  expect(plainLines(searching([]), searching([missing]))).toEqual([
    "trial t1 (1/3): 80.0 ±1.0, below its bound on two",
  ]);
});

test("the best so far is what is believed of it, told when it changes", () => {
  const leaders = [{ candidateId: "t0", mean: 0.712, standardDeviation: 0.008, probabilityBest: 0.41 }];
  const view = searching([t0, t1], { leaders });
  expect(liveLines(view)[1]).toContain("best 71.2 ±0.8 expected (t0, the best with 41 %)");
  expect(plainLines(searching([t0, t1]), view)).toEqual(["leading: 71.2 ±0.8 expected (t0, the best with 41 %)"]);
  expect(plainLines(view, searching([t0, t1], { leaders }))).toEqual([]);
  const soup = [{ candidateId: "t1", mean: 0.8, standardDeviation: 0.01 }];
  expect(bestSoFar(searching([t0, t1], { leaders: soup }))).toBe("80.0 ±1.0 (t1)");
});

test("a recommendation says whether it keeps the constraints", () => {
  const believed = (probabilityFeasible: number) =>
    searching([t0], { recommendedId: "t0", leaders: [{ candidateId: "t0", mean: 0.7, probabilityFeasible }] });
  expect(constraintsText(believed(0.97))).toBe("kept with 97 %");
  expect(constraintsText(believed(0.2))).toContain("no trial is likely to keep them; this one does with 20 %");
  expect(constraintsText(searching([t0], { recommendedId: "t0" }))).toBeUndefined();
});

test("a search that stopped says after how many trials and why, and one that starts from another what it knows", () => {
  const stopped = searching([t0, t1], { stopped: "more would gain less than noise" });
  expect(plainLines(searching([t0, t1]), stopped)).toEqual([
    "stopped after 2 of 3 trials: more would gain less than noise",
  ]);
  expect(liveLines(stopped)).toContain("stopped  after 2 of 3 trials: more would gain less than noise");
  expect(liveLines(stopped)[1]).toContain(" 2/2 ");
  expect(plainLines(searching([]), searching([], { earlier: "8 trials of ../a are known" }))).toEqual([
    "8 trials of ../a are known",
  ]);
});

test("nothing is said of a job until it is planned; then its method and sizes come first", () => {
  expect(plainLines(undefined, planning)).toEqual([]);
  expect(plainLines(planning, searching([]))).toEqual(["search job j1: ties, 4 shards, 20.5 MB in, 2.27 MB out"]);
});

test("each trial is told once, when it is settled", () => {
  const open = searching([{ id: "t0", role: "trial", name: "t0", state: "merging" }]);
  expect(plainLines(searching([]), open)).toEqual([]);
  const settled = searching([t0, { ...t1, state: "failed", problem: "logits are not finite" }]);
  expect(plainLines(open, settled)).toEqual([
    "trial t0 (1/3): 70.0 ±1.0  weight[a=0.300 b=0.700] lambda=1.000",
    "trial t1 (2/3): failed: logits are not finite",
  ]);
  expect(plainLines(settled, settled)).toEqual([]);
});

test("a trial that was given up says on how many items, and what it lost to", () => {
  const given = scored("t1", "trial", 0.5, {
    scores: [{ task: "one", split: "test", metric: "accuracy", score: 0.5, standardError: 0.05, items: 100 }],
    lostRace: { against: "t0", difference: { difference: -0.2, standardError: 0.03, probabilityBetter: 0 } },
  });
  expect(plainLines(searching([t0]), searching([t0, given]))).toEqual([
    "trial t1 (2/3): 50.0 ±1.0 on 100 items, 20.0 ±3.0 points below t0: given up",
  ]);
});

test("a gain is claimed of the published model only where the items that both answered show one", () => {
  const against = (difference: number, standardError: number, probabilityBetter: number) =>
    searching([
      scored("base", "comparison", 0.5, {
        publishedMinusThis: { difference: 0.3, standardError: 0.01, probabilityBetter: 1 },
      }),
      scored("ties", "comparison", 0.7, { publishedMinusThis: { difference, standardError, probabilityBetter } }),
      scored("final", "final", 0.7 + difference),
    ]);
  const row = "points above ties, the best row, on the same items";
  expect(claimLine(against(0.02, 0.005, 0.9999))).toBe(`2.0 ±0.5 ${row}; the chance that it is better is 100.0 %`);
  expect(claimLine(against(0.002, 0.005, 0.65))).toBe(`0.2 ±0.5 ${row}: within noise, so no gain is claimed`);
  expect(claimLine(against(-0.02, 0.005, 0.001))).toContain("2.0 ±0.5 points below ties");
  expect(claimLine(searching([scored("ties", "comparison", 0.7), scored("final", "final", 0.8)]))).toBeUndefined();
});

test("what was done before the first look is one line", () => {
  expect(plainLines(planning, searching([t0, t1]))).toEqual([
    "search job j1: ties, 4 shards, 20.5 MB in, 2.27 MB out",
    "2 of 3 trials are done, the best 80.0 ±1.0 (t1)",
  ]);
});

test("comparisons name their split, waiting its reason, writing its quarters", () => {
  const before = searching([]);
  const after = searching([scored("average", "comparison", 0.6)], { shardsWritten: 2, waitingFor: "no worker" });
  expect(plainLines(before, after)).toEqual([
    "test, average: 60.0 ±1.0",
    "written 2 of 4 shards",
    "waiting: no worker",
  ]);
  expect(plainLines(after, after)).toEqual([]);
});

test("the live view has a bar for each stage and a line for each open candidate", () => {
  expect(liveLines(planning)).toEqual(["search · planning"]);
  const open = { id: "t1", role: "trial", name: "t1", state: "merging", shardsMerged: 3 };
  expect(liveLines(searching([t0, open]))).toEqual([
    "search · ties · 4 shards, 20.5 MB read per pass",
    `trials   ${progressBar(1, 3)} 1/3   best 70.0 ±1.0 (t0)`,
    "  t1: merging 3/4",
  ]);
  const writing = searching([t0], { state: "writing", recommendedId: "t0", shardsWritten: 1, trialsPlanned: 1 });
  expect(liveLines(writing).at(-1)).toBe(`write    ${progressBar(1, 4)} 1/4 shards`);
});

test("the table ends with the published model, below a rule", () => {
  const failed = { id: "c1", role: "comparison", name: "ties", state: "failed" };
  const view = searching([scored("base", "comparison", 0.5), failed, scored("final", "final", 0.8)]);
  expect(scoreTable(view)).toEqual([
    "test accuracy, %        one        two       mean",
    "────────────────  ─────────  ─────────  ─────────",
    "base              50.0 ±1.4  50.0 ±1.4  50.0 ±1.0",
    "ties                 failed     failed",
    "────────────────  ─────────  ─────────  ─────────",
    "final             80.0 ±1.4  80.0 ±1.4  80.0 ±1.0",
  ]);
  expect(scoreTable(searching([t0]))).toEqual([]);
});
