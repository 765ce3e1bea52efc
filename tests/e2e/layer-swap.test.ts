// Layer swapping of real models: which tensors are whose, by the layers of their names.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpoint, openFileSource, sha256Range } from "@amalgam/checkpoint";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";

const FAMILY = join(import.meta.dirname, "..", "..", "examples", "quickstart");
const MODELS = ["expert-sentiment", "expert-speech"].map((name) => join(FAMILY, name));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "amalgam-swap-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function digests(model: string): Promise<Map<string, string>> {
  const checkpoint = await openCheckpoint(model);
  const [file] = checkpoint.files;
  await using source = await openFileSource(file!.path);
  const found = new Map<string, string>();
  for (const { name, offset, byteLength } of checkpoint.tensors.values())
    found.set(name, await sha256Range(source, offset, offset + byteLength));
  return found;
}

test("the middle layer is the second model's, and everything else the first's, byte for byte", async () => {
  const models = MODELS.map((model) => `  - model: ${model}\n`).join("");
  const recipe = join(folder, "recipe.yaml");
  await writeFile(recipe, `merge_method: layer_swap\nmodels:\n${models}parameters: { bottom: 1, top: 1 }\n`);
  const { code, stderr } = await run("merge", recipe, join(folder, "out"));
  expect(code, stderr).toBe(0);
  const [outer, inner, merged] = await Promise.all([...MODELS, join(folder, "out")].map(digests));
  let swapped = 0;
  for (const [name, digest] of merged!) {
    const isInner = /\.layer\.1\./.test(name);
    expect(digest, name).toBe((isInner ? inner : outer)!.get(name));
    if (isInner && digest !== outer!.get(name)) swapped++;
  }
  expect(swapped).toBeGreaterThan(5);
}, 180_000);
