// Estimates through a coordinator with a worker and an evaluator of few words: what is asked for, what candidates are merged with, and
// what happens when values are lost or differ.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Evaluation, JobView, Lease } from "@amalgam/proto";
import { type Bus, createMemoryBus } from "@amalgam/runtime";
import { afterAll, expect, test } from "vitest";
import type { JobSpec } from "../job/events.ts";
import type { Coordinator } from "./coordinator.ts";
import { jobSpec, openCoordinator, writeModel } from "./testing/job.ts";
import { connectCopyingWorker, evaluate, scoreOutcome } from "./testing/peers.ts";

const root = mkdtempSync(join(tmpdir(), "amalgam-estimates-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let directories = 0;

const DEADLINE_MS = 20_000;

interface Options {
  readonly fisher?: string;
  readonly kind?: "merge" | "search";
  readonly compare?: string;
}

/** A base and two models, each with a task of its name. */
function inputs({ fisher = "{}", kind = "search", compare = "[]" }: Options = {}): JobSpec {
  const directory = join(root, `${directories++}`);
  for (const [index, name] of ["base", "a", "b"].entries())
    writeModel(join(directory, name), (element) => Math.sin(element + index));
  for (const name of ["a", "b"])
    writeFileSync(join(directory, `${name}.yaml`), `name: ${name}\nsplits: {validation: v.jsonl}\n`);
  writeFileSync(join(directory, "v.jsonl"), "{}\n");
  const recipe = `merge_method: df_merge
base_model: base
models: [{model: a, parameters: {weight: 0.5}}, {model: b, parameters: {weight: 0.25}}]
evaluate: {tasks: [a.yaml, b.yaml], compare: ${compare}}
fisher: ${fisher}
search: {trials: 3, parallel: 2, strategy: sobol, start: [{a: 0.5, b: 0.5}, {a: 0.5, b: 0.1}, {a: 1, b: 0.1}]}
`;
  return jobSpec(directory, { kind, recipe });
}

type Outcome = ReturnType<Parameters<typeof evaluate>[2]>;

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Values that are named, not had: two shards' worth. */
function estimateOutcome({ candidateId, firstPiece }: Evaluation, values = ""): Outcome {
  const shards = [0, 1, 2, 3, 4].map((shard) => {
    const sha256 = digestOf(`${candidateId} ${firstPiece} ${shard} ${values}`);
    return { shard, sha256, byteLength: 1n, address: "local:evaluator" };
  });
  return { case: "estimate", value: { items: 3, seconds: 2, shards } };
}

async function ended(coordinator: Coordinator, jobId: string): Promise<JobView> {
  let last: JobView | undefined;
  for await (const view of coordinator.watch(jobId, AbortSignal.timeout(DEADLINE_MS))) last = view;
  return last!;
}

interface Run {
  readonly view: JobView;
  /** Evaluations that asked for an estimate, in their order. */
  readonly asked: readonly Evaluation[];
  readonly leases: readonly Lease[];
}

async function runJob(
  spec: JobSpec,
  outcomeOf: (evaluation: Evaluation) => Outcome,
  lost?: (lease: Lease) => string[],
): Promise<Run> {
  await using bus: Bus = createMemoryBus();
  await using coordinator = openCoordinator(join(spec.baseDirectory, "state"), bus);
  const worker = connectCopyingWorker(coordinator, lost ? { lost } : {});
  const stop = new AbortController();
  const asked: Evaluation[] = [];
  const evaluating = evaluate(bus, stop.signal, (_, evaluation) => {
    if (evaluation.estimation === undefined) return scoreOutcome(0.5);
    asked.push(evaluation);
    return outcomeOf(evaluation);
  });
  const { jobId } = coordinator.submit(spec);
  const view = await ended(coordinator, jobId);
  stop.abort();
  await evaluating.catch(() => undefined);
  return { view, asked, leases: worker.leases };
}

const idsOf = (asked: readonly Evaluation[]): string[] => asked.map(({ candidateId }) => candidateId);
const mergesOf = (leases: readonly Lease[], candidate: string): Lease[] =>
  leases.filter(({ task, candidate: of }) => task.case === "merge" && of!.id.startsWith(`${candidate}.`));
/** What a lease's given slots hold: digests of terms, or a constant. */
const givenTo = ({ candidate }: Lease): { slot: number; values: unknown }[] =>
  candidate!.given.map(({ slot, terms, constant }) => {
    return { slot, values: terms.length === 0 ? constant : terms.map(({ values }) => values!.sha256) };
  });

test("a trial is merged with what was estimated at its own scales, and scales that come again are not estimated again", async () => {
  const { view, asked, leases } = await runJob(inputs(), estimateOutcome);
  expect(view).toMatchObject({ state: "done", problem: "" });
  // Of a: 0.5 and 1; of b: 0.5 and 0.1. The recommended trial has those of a trial.
  expect(asked.map(({ task }) => task).toSorted()).toEqual(["a", "a", "b", "b"]);
  expect(new Set(idsOf(asked)).size).toBe(4);
  expect(view.importance).toMatchObject({ estimate: "per_trial", made: 4, reused: 4, seconds: 8 });
  const [first, second] = ["t0", "t1"].map((id) => mergesOf(leases, id).map(givenTo));
  expect(first![0]!.map(({ slot }) => slot)).toEqual([3, 4]);
  // Both scale a alike, and b otherwise.
  expect(first!.map(([a]) => a)).toEqual(second!.map(([a]) => a));
  expect(first![0]![1]).not.toEqual(second![0]![1]);
  // The scaled models themselves are merged without.
  expect(mergesOf(leases, "i0").map(givenTo)).toEqual(mergesOf(leases, "i0").map(() => []));
});

test("static importance is estimated once for each model, and once more for nobody", async () => {
  const compare = "[{merge_method: fisher}]";
  const { view, asked } = await runJob(inputs({ fisher: "{estimate: once}", compare }), estimateOutcome);
  expect(view.state).toBe("done");
  expect(asked.map(({ task }) => task).toSorted()).toEqual(["a", "b"]);
  expect(view.importance).toMatchObject({ estimate: "once", made: 2, reused: 8 });
});

test("without importance every value is 1 and nobody is asked", async () => {
  const { view, asked, leases } = await runJob(inputs({ fisher: "{estimate: none}" }), estimateOutcome);
  expect(view).toMatchObject({ state: "done", importance: { estimate: "none", made: 0 } });
  expect(asked).toEqual([]);
  const ones = [3, 4].map((slot) => ({ slot, values: 1 }));
  for (const lease of mergesOf(leases, "t0")) expect(givenTo(lease)).toEqual(ones);
});

test("parts are asked for one by one, and weighed by their items", async () => {
  const { view, asked, leases } = await runJob(inputs({ fisher: "{parts: 3}", kind: "merge" }), (evaluation) => {
    const outcome = estimateOutcome(evaluation) as Extract<Outcome, { case: "estimate" }>;
    return { ...outcome, value: { ...outcome.value, items: evaluation.firstPiece === 0 ? 2 : 1 } };
  });
  expect(view.state).toBe("done");
  expect(asked.map(({ firstPiece, endPiece, pieces }) => [firstPiece, endPiece, pieces]).toSorted()).toEqual(
    [0, 1, 2].flatMap((first) => [
      [first, first + 1, 3],
      [first, first + 1, 3],
    ]),
  );
  const [lease] = leases.filter(({ task }) => task.case === "write");
  expect(lease!.candidate!.given[0]!.terms.map(({ weight }) => weight)).toEqual([0.5, 0.25, 0.25]);
});

test("an estimate that fails fails the trials that need it, with its reason, and the search goes on", async () => {
  // The first trial scales b by 0.5, the others do not.
  let firstOfB: string | undefined;
  const { view } = await runJob(inputs(), (evaluation) => {
    const { task, candidateId } = evaluation;
    if (task === "b") firstOfB ??= candidateId;
    return candidateId === firstOfB
      ? { case: "failure", value: { code: "invalid_argument", message: "NaN in the gradient" } }
      : estimateOutcome(evaluation);
  });
  expect(view.state).toBe("done");
  const failed = view.candidates.filter(({ state }) => state === "failed");
  expect(failed.map(({ id, problem }) => [id, problem])).toEqual([
    ["t0", "the importance of b cannot be estimated: task b: NaN in the gradient"],
  ]);
});

test("values that a worker cannot fetch are asked for again, and the same merge goes on", async () => {
  let refused = 0;
  const lost = ({ candidate, task }: Lease): string[] => {
    if (!candidate!.id.startsWith("t0.") || task.case !== "merge" || refused > 0) return [];
    refused++;
    return [candidate!.given[1]!.terms[0]!.values!.sha256];
  };
  const { view, asked } = await runJob(inputs(), estimateOutcome, lost);
  expect(view).toMatchObject({ state: "done", importance: { made: 5 } });
  const again = Map.groupBy(asked, ({ candidateId }) => candidateId)
    .values()
    .find(({ length }) => length > 1)!;
  expect(again.map(({ task, generation }) => [task, generation])).toEqual([
    ["b", 0],
    ["b", 1],
  ]);
});

test("values that differ when they are made again are those of the whole model: what was written is written again", async () => {
  let made = 0;
  let refused = false;
  const lost = ({ candidate, task, shard }: Lease): string[] => {
    if (task.case !== "write" || shard!.index !== 4 || refused) return [];
    refused = true;
    return [candidate!.given[0]!.terms[0]!.values!.sha256];
  };
  const { view, leases } = await runJob(
    inputs({ kind: "merge" }),
    (evaluation) => estimateOutcome(evaluation, `${made++}`),
    lost,
  );
  expect(view.state).toBe("done");
  const written = Map.groupBy(
    leases.filter(({ task }) => task.case === "write"),
    ({ candidate }) => candidate!.id,
  );
  expect(written.size).toBe(2);
  const last = [...written.values()].at(-1)!;
  expect(last.map(({ shard }) => shard!.index).toSorted()).toEqual([0, 1, 2, 3, 4]);
  expect(new Set(last.flatMap(givenTo).map((given) => JSON.stringify(given))).size).toBe(10);
});
