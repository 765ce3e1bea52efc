// A search over a stack that is deeper than its models: candidates are scored with the layers that they have, as the published model is.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../harness/program.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));
const model = (name: string, first: number, end: number): string =>
  `{ model: ${join(quickstart, `expert-${name}`)}, name: ${name}, layer_range: [${first}, ${end}] }`;
const task = join(quickstart, "tasks/sentiment.yaml");

test("a stack of slices is searched, and the published model scores what the search says", async () => {
  const directory = mkdtempSync(join(tmpdir(), "amalgam-search-slices-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const recipe = join(directory, "recipe.yaml");
  const text = `merge_method: linear
slices:
  - sources: [${model("sentiment", 0, 1)}]
  - sources: [${model("sentiment", 0, 3)}, ${model("speech", 0, 3)}]
evaluate: { tasks: [${task}] }
search: { trials: 2, parallel: 1 }
`;
  writeFileSync(recipe, text);
  const out = join(directory, "out");
  const search = await run("search", recipe, out, "--json");
  expect(search.code, search.stderr).toBe(0);
  const { done } = JSON.parse(search.stdout.trim().split("\n").at(-1)!) as {
    done: { candidates: { role: string; coefficients: object; scores: { score: number; split: string }[] }[] };
  };
  const final = done.candidates.find(({ role }) => role === "final")!;
  expect(Object.keys(final.coefficients)).toEqual(["weight[sentiment]", "weight[speech]"]);
  expect(JSON.parse(readFileSync(join(out, "config.json"), "utf8"))).toMatchObject({ num_hidden_layers: 4 });
  const scored = await run("eval", out, "--task", task, "--split", final.scores[0]!.split, "--json");
  expect(scored.code, scored.stderr).toBe(0);
  const { scores } = JSON.parse(scored.stdout) as { scores: { score: number }[] };
  expect(scores[0]!.score).toBe(final.scores[0]!.score);
  // The recipe that is published gives the same weights.
  const again = join(directory, "again");
  const merged = await run("merge", join(out, "amalgam-recipe.yaml"), again);
  expect(merged.code, merged.stderr).toBe(0);
  const weights = (folder: string): Buffer => readFileSync(join(folder, "model.safetensors"));
  expect(weights(again).equals(weights(out))).toBe(true);
}, 180_000);
