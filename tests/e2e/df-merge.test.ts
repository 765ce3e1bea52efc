// DF-Merge whole: each trial is merged with Fisher information estimated at its own coefficients, which evaluators make and hold. They die
// while they hold it, and so does the coordinator: the model is that of an undisturbed run in one process.
import { join } from "node:path";
import { expect, test } from "vitest";
import { Cluster } from "../harness/cluster.ts";
import { digestsOf } from "../harness/digests.ts";
import { createFamily } from "../harness/family.ts";
import { checkHistory } from "../harness/journal.ts";
import { run } from "../harness/program.ts";

const FISHER = "{ items: 2, parts: 2, tasks: { supersense: tasks/section.yaml, speech: tasks/sentiment.yaml } }";

test("evaluators and the coordinator are killed while estimates are held: the same bytes as in one process", async () => {
  await using family = await createFamily({ items: 40, trials: 3, fisher: FISHER });
  const directory = join(family.directory, "cluster");
  await using cluster = await Cluster.start({ directory, workers: 2, evaluators: 2 });
  const out = await family.outputIn("cluster-out");
  const jobId = await cluster.submit(family.recipe, out, { shardBytes: 1_000_000 });

  await cluster.until(jobId, "a first estimate", ({ importance }) => (importance?.made ?? 0) > 0);
  await cluster.evaluators.get("evaluator-1")!.end();
  await cluster.startEvaluator("evaluator-3");
  await cluster.until(jobId, "a scored trial", ({ candidates }) => candidates.some(({ state }) => state === "scored"));
  await cluster.restartCoordinator();
  // The final model is merged, and will be merged once more to be written: with estimates that are gone by then.
  await cluster.until(jobId, "the final model", ({ candidates }) => {
    return candidates.some(({ role, state }) => role === "final" && state === "evaluating");
  });
  for (const name of ["evaluator-2", "evaluator-3"]) await cluster.evaluators.get(name)!.end();
  await cluster.startEvaluator("evaluator-4");
  const { importance } = await cluster.finished(jobId);

  const events = await cluster.events(jobId);
  checkHistory(events, family);
  const count = (type: string): number => events.filter((event) => event.type === type).length;
  expect(count("estimatesLost")).toBe(1);
  expect(count("estimateLost")).toBeGreaterThan(0);
  expect(importance).toMatchObject({ estimate: "per_trial", made: count("estimated") });
  // Four for each trial, unless two trials scale a model alike, and what was lost again.
  expect(count("estimated")).toBeGreaterThanOrEqual(4 * family.trials);

  const alone = await family.outputIn("alone");
  const { code, stdout } = await run("search", family.recipe, alone);
  expect(code).toBe(0);
  expect(stdout).toContain("Fisher information at each candidate's coefficients: ");
  expect(await digestsOf(out)).toEqual(await digestsOf(alone));
}, 300_000);
