// Special cases of DF-Merge (arXiv 2504.18992) through the command, with importance that evaluators estimate: what must come out is known without it.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFamily, type Family } from "../harness/family.ts";
import { run } from "../harness/program.ts";
import { type RawTensor, readDirectory } from "./safetensors.ts";

let family: Family;
let merges = 0;
beforeAll(async () => {
  // No file has the information: where it is not estimated, nothing could be merged with it.
  family = await createFamily({ items: 20, fisher: "{}" });
});
afterAll(() => family?.[Symbol.asyncDispose]());

const EXPERTS = ["sentiment", "section"];

interface Merge {
  readonly method?: string;
  readonly weights?: readonly number[];
  readonly experts?: readonly string[];
  /** The `fisher` section. */
  readonly fisher?: string;
  readonly options?: readonly string[];
  /** Further lines of the recipe. */
  readonly more?: readonly string[];
}

/** Tensors of a merge of the experts; each is estimated on the task of its own name. */
async function merge({
  method = "df_merge",
  weights = [1, 1],
  experts = EXPERTS,
  fisher,
  options = [],
  more = [],
}: Merge) {
  const models = experts.map(
    (name, index) => `  - { model: ./expert-${name}, name: ${name}, parameters: { weight: ${weights[index]} } }`,
  );
  const recipe = join(family.directory, `merge-${++merges}.yaml`);
  const lines = [`merge_method: ${method}`, "base_model: ./base", "models:", ...models, ...more];
  if (fisher !== undefined)
    lines.push("evaluate: { tasks: [tasks/sentiment.yaml, tasks/section.yaml] }", `fisher: ${fisher}`);
  await writeFile(recipe, `${lines.join("\n")}\n`);
  const out = await family.outputIn(`merge-${merges}`);
  const { code, stderr } = await run("merge", recipe, out, ...options);
  expect(code, stderr).toBe(0);
  return { tensors: readDirectory(out), recipe: await readFile(join(out, "amalgam-recipe.yaml"), "utf8") };
}

const checkpoint = (name: string): Map<string, RawTensor> => readDirectory(join(family.directory, name));

/** Both are rounded once to the family's float16, from sums in another order. */
function expectClose(found: ReadonlyMap<string, RawTensor>, wanted: ReadonlyMap<string, RawTensor>): void {
  expect([...found.keys()]).toEqual([...wanted.keys()]);
  for (const [name, tensor] of found) {
    const [values, others] = [tensor, wanted.get(name)!].map(({ dtype, bytes }) => {
      expect(dtype).toBe("F16");
      return new Float16Array(Uint8Array.from(bytes).buffer);
    }) as [Float16Array, Float16Array];
    const far = values.filter((value, i) => Math.abs(value - others[i]!) > 1e-6 + Math.abs(value) / 1024);
    expect(far, name).toHaveLength(0);
  }
}

test("a scale of 0 gives the base back, whatever the importance is", async () => {
  const { tensors } = await merge({ weights: [0, 0], fisher: "{ items: 2 }" });
  expect(tensors).toEqual(checkpoint("base"));
});

test("one model at scale 1 comes back", async () => {
  const { tensors } = await merge({ weights: [1], experts: ["section"], fisher: "{ items: 2 }" });
  expectClose(tensors, checkpoint("expert-section"));
});

test("importance of 1 makes it task arithmetic", async () => {
  const weights = [0.4, 0.3];
  const { tensors: merged } = await merge({ weights, fisher: "{ estimate: none }" });
  const { tensors: expected } = await merge({ method: "task_arithmetic", weights });
  expectClose(merged, expected);
});

test("at scale 1 the importance conditioned on the coefficients is that of the models, however shards are cut and items divided", async () => {
  // Norms over the whole model, which cross shards, are norms of what was estimated.
  const more = ["parameters: { normalize: l2 }"];
  const conditioned = await merge({ fisher: "{ items: 3 }", more });
  const fixed = await merge({ fisher: "{ estimate: once, items: 3 }", more, options: ["--shard-bytes", "400000"] });
  expect(fixed.tensors).toEqual(conditioned.tensors);
  const otherwise = await merge({ weights: [0.5, 0.5], fisher: "{ items: 3 }", more });
  expect(otherwise.tensors).not.toEqual(conditioned.tensors);
  // What is published says how, and how again.
  expect(conditioned.recipe).toContain("fisher:\n  estimate: per_trial\n  items: 3\n");
});
