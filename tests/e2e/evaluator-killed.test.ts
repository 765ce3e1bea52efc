// An evaluator dies by kill -9 in the middle of an evaluation: another takes it over, and it counts once.
import { join } from "node:path";
import { poll } from "@amalgam/runtime";
import { expect, test } from "vitest";
import { Cluster } from "../harness/cluster.ts";
import { digestsOf } from "../harness/digests.ts";
import { createFamily } from "../harness/family.ts";
import { checkHistory } from "../harness/journal.ts";
import { run } from "../harness/program.ts";

test("the evaluation is delivered again and scored once, with the bytes of an undisturbed run", async () => {
  await using family = await createFamily();
  const directory = join(family.directory, "cluster");
  await using cluster = await Cluster.start({ directory, workers: 1 });
  const out = await family.outputIn("killed-evaluator");
  const jobId = await cluster.submit(family.recipe, out);
  const dying = cluster.evaluators.get("evaluator-1")!;
  await poll(() => cluster.evaluations > 0, { what: "a first score", timeoutMs: 30_000 });
  await cluster.until(jobId, "an evaluation", ({ candidates }) => candidates.some((one) => one.state === "evaluating"));
  await dying.end();
  await cluster.startEvaluator("evaluator-2");
  await cluster.finished(jobId);
  checkHistory(await cluster.events(jobId), family);
  const alone = await family.outputIn("alone");
  expect((await run("search", family.recipe, alone)).code).toBe(0);
  expect(await digestsOf(out)).toEqual(await digestsOf(alone));
});
