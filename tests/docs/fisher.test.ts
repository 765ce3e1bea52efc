// docs/fisher.md: its commands run, and what they write is read by the recipes that it says.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";
import { blocksOf, ROOT } from "./markdown.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "amalgam-docs-fisher-"));
  for (const name of ["expert-sentiment", "expert-speech", "base", "tasks"])
    await cp(join(ROOT, "examples/quickstart", name), join(folder, name), { recursive: true });
  await mkdir(join(folder, "out"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the commands write files that a merge takes", async () => {
  const [block, ...more] = blocksOf("docs/fisher.md").filter(({ note }) => note === "run");
  expect(more).toEqual([]);
  const before = await readFile(join(folder, "expert-speech/fisher.safetensors"));
  for (const line of block!.text.trim().split("\n")) {
    const [npx, amalgam, ...args] = line.split(" ");
    expect([npx, amalgam]).toEqual(["npx", "amalgam"]);
    const located = args.map((arg) => (/^(expert-|tasks\/|out\/)/.test(arg) ? join(folder, arg) : arg));
    const { code, stderr } = await run(...located);
    expect(code, stderr).toBe(0);
  }
  expect(before.equals(await readFile(join(folder, "expert-speech/fisher.safetensors")))).toBe(false);
  const recipe = join(folder, "recipe.yaml");
  await writeFile(
    recipe,
    `merge_method: df_merge
base_model: ./base
models: [{ model: ./expert-speech }, { model: ./expert-sentiment, fisher: out/sentiment.safetensors }]
parameters: { normalize: l2, weight: 0.4 }
`,
  );
  const { code, stderr } = await run("merge", recipe, join(folder, "out/merged"));
  expect(code, stderr).toBe(0);
});
