// The quickstart with fewer trials and items, on a cluster that loses a worker to SIGKILL in the middle: the bytes of a single process.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { Cluster } from "../harness/cluster.ts";
import { digestsOf } from "../harness/digests.ts";
import { run } from "../harness/program.ts";

const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));
const CUT: readonly (readonly [written: string, instead: string])[] = [
  ["trials: 30", "trials: 6"],
  ["items: 300", "items: 8"],
  ["./", `${QUICKSTART}/`],
  ["tasks/", `${QUICKSTART}/tasks/`],
];

/** The quickstart's recipe, cut to a tenth, in `directory`. */
async function cutRecipe(directory: string): Promise<string> {
  let text = await readFile(join(QUICKSTART, "recipe.yaml"), "utf8");
  for (const [written, instead] of CUT) {
    expect(text).toContain(written);
    text = text.replaceAll(written, instead);
  }
  await writeFile(join(directory, "recipe.yaml"), text);
  return join(directory, "recipe.yaml");
}

const TIMEOUT_MS = 600_000;

test(
  "the quickstart on nats-server, coordinator, two workers and an evaluator, one worker killed",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "amalgam-e2e-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const [alone, together] = ["alone", "together"].map((name) => join(directory, name, "quickstart"));
    await Promise.all(["alone", "together"].map((name) => mkdir(join(directory, name))));
    const recipe = await cutRecipe(directory);
    const single = await run("search", recipe, alone!);
    expect(single.code, single.stderr).toBe(0);

    await using cluster = await Cluster.start({ directory });
    const submitted = await run("submit", recipe, together!, "--coordinator", cluster.address, "--json");
    expect(submitted.code, submitted.stderr).toBe(0);
    const { jobId } = JSON.parse(submitted.stdout) as { jobId: string };
    await cluster.until(jobId, "the middle of the search", ({ candidates, trialsPlanned }) => {
      const scored = candidates.filter(({ role, state }) => role === "trial" && state === "scored");
      const merging = candidates.some(({ state }) => state === "merging");
      return scored.length >= trialsPlanned / 2 && merging;
    });
    await cluster.workers.get("worker-1")!.end();
    const { workers } = await cluster.finished(jobId);
    expect(workers).toBe(1);
    expect(await digestsOf(together!)).toEqual(await digestsOf(alone!));
  },
  TIMEOUT_MS,
);
