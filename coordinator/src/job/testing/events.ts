/** Job events for tests. */
import type { StopReport } from "@amalgam/optimizer";
import fc from "fast-check";
import type { JobEvent, JobSpec, Score, SearchBasis, ViewFacts } from "../events.ts";
import { packResults } from "../item-results.ts";
import { type JobState, reduce } from "../state.ts";

export const SPEC: JobSpec = {
  kind: "search",
  recipe: "merge_method: linear",
  recipeName: "recipe.yaml",
  baseDirectory: "/recipes",
  outputDirectory: "/models/out",
  overwrite: false,
  shardBytes: 0,
  digestInputs: false,
  stagesDirectory: "",
  backend: "wasm",
};

/** A search of one coefficient. */
export const BASIS: SearchBasis = {
  proposer: "study",
  spec: { dimensions: [{ name: "x", kind: "float", low: 0, high: 1 }], seed: 1, metrics: ["x", "y"] },
  events: [],
  stopsEarly: false,
};

export const STOPPED: StopReport = {
  stop: true,
  reason: "what is left to gain is less than noise",
  expectedRemainingImprovement: 0.001,
  noise: 0.01,
  threshold: 0.003,
  trials: 8,
};

/** A search of two trials on two tasks with one comparison. */
export const FACTS: ViewFacts = {
  kind: "search",
  trials: 2,
  parallel: 2,
  tasks: ["x", "y"],
  comparisons: ["c0"],
  shards: 3,
  method: "fisher",
  inputBytes: 300,
  outputBytes: 100,
  split: "validation",
  confirmSplit: "test",
  comparisonNames: ["average"],
  variantName: "searched fisher",
};

export const replay = (events: readonly JobEvent[], from?: JobState): JobState => {
  const state = events.reduce<JobState | undefined>(reduce, from);
  if (state === undefined) throw new Error("no events");
  return state;
};

/** A score of 1000 items. */
export const scoreOf = (accuracy: number): Score => ({
  items: 1000,
  metric: "accuracy",
  score: accuracy,
  standardError: Math.sqrt((accuracy * (1 - accuracy)) / 1000),
  loss: 1 - accuracy,
});

/** The score of items that were right (1) or not (0). */
export const partScore = (...results: number[]): Score => {
  const correct = results.reduce((sum, one) => sum + one, 0);
  const accuracy = correct / results.length;
  return {
    items: results.length,
    metric: "accuracy",
    score: accuracy,
    standardError: Math.sqrt((accuracy * (1 - accuracy)) / results.length),
    loss: 1 - accuracy,
    perItem: packResults(Uint8Array.from(results)),
  };
};

const candidateId = fc.constantFrom("t0", "t1", "t2", "c0", "final");
const task = fc.constantFrom("a", "b");
const estimateId = fc.constantFrom("i0.a", "i0.b", "i1.a");
const coefficients = fc.record({ x: fc.double({ min: 0, max: 1, noNaN: true }) });
const score = fc.double({ min: 0, max: 1, noNaN: true }).map(scoreOf);

/** Any event but the first, sensible or not, duplicates and late ones included. */
export const anyEvent: fc.Arbitrary<JobEvent> = fc.oneof(
  fc.constantFrom<JobEvent>(
    { type: "submitted", spec: { ...SPEC, recipe: "other" } },
    { type: "resumed", spec: { ...SPEC, overwrite: true } },
    { type: "stagingLost" },
    { type: "estimatesLost" },
    { type: "published" },
    { type: "cancelled" },
    { type: "failed", code: "unavailable", problem: "no worker" },
    { type: "restarted", reason: "the inputs changed", spec: SPEC },
    { type: "searchBegun", basis: BASIS },
    { type: "searchStopped", report: STOPPED },
    { type: "searchStopped", report: { ...STOPPED, trials: 9 } },
    { type: "searchBegun", basis: { ...BASIS, events: [{ type: "enqueue", values: { x: 0.5 } }] } },
  ),
  fc.record({
    type: fc.constant("planned" as const),
    planDigest: fc.constantFrom("p", "q"),
    facts: fc.constant(FACTS),
  }),
  fc.record(
    {
      type: fc.constant("proposed" as const),
      candidateId,
      coefficients,
      origin: fc.constant("sobol"),
      ask: fc.record({ id: fc.nat(3) }),
    },
    { requiredKeys: ["type", "candidateId", "coefficients", "origin"] },
  ),
  fc.record({ type: fc.constant("scored" as const), candidateId, task, score }),
  fc.record({
    type: fc.constant("scored" as const),
    candidateId,
    task,
    score,
    part: fc.constantFrom({ pieces: 2, first: 0, end: 1 }, { pieces: 2, first: 1, end: 2 }),
  }),
  fc.record({
    type: fc.constant("raceLost" as const),
    candidateId,
    against: fc.constant("t0"),
    difference: fc.constant(-0.5),
    standardError: fc.constant(0.1),
    probabilityBetter: fc.constant(0),
  }),
  fc.record({ type: fc.constant("evaluationLost" as const), candidateId, task, generation: fc.nat(3) }),
  fc.record({
    type: fc.constant("estimated" as const),
    estimateId,
    sha256: fc.constantFrom("s1", "s2"),
    seconds: fc.nat(9),
  }),
  fc.record({ type: fc.constant("estimateLost" as const), estimateId, generation: fc.nat(3) }),
  fc.record({ type: fc.constant("estimateFailed" as const), estimateId, problem: fc.constantFrom("p1", "p2") }),
  fc.record({ type: fc.constant("candidateFailed" as const), candidateId, problem: fc.constantFrom("p1", "p2") }),
  fc.record({
    type: fc.constant("recommended" as const),
    candidateId,
    coefficients,
    mean: fc.double({ min: 0, max: 1, noNaN: true }),
    standardDeviation: fc.constant(0.01),
    probabilityBest: fc.constant(0.5),
  }),
  fc.record({
    type: fc.constant("shardWritten" as const),
    shard: fc.nat(3),
    segmentSha256: fc.array(fc.constantFrom("1", "2"), { maxLength: 2 }),
  }),
);
