// What ships is what `tsc -b` writes: it must run without its sources' loader, threads included, and give the same bytes.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestsOf } from "../harness/digests.ts";
import { createFamily } from "../harness/family.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "amalgam-dist-"));
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: root, encoding: "utf8" });

beforeAll(() => {
  run(join(root, "node_modules/.bin/tsc"), "-b");
}, 120_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("the compiled command merges as the sources do", () => {
  const inputs = join(root, "tests/golden/mergekit/inputs");
  const recipe = join(directory, "recipe.yaml");
  const text = readFileSync(join(root, "tests/golden/mergekit/recipes/ties.yaml"), "utf8");
  writeFileSync(
    recipe,
    text.replaceAll(/(base|expert\d)$/gm, (name) => join(inputs, name)),
  );
  run(process.execPath, "--conditions=amalgam-dist", "cli/dist/main.js", "merge", recipe, join(directory, "compiled"));
  run(process.execPath, "cli/src/main.ts", "merge", recipe, join(directory, "source"));
  const weights = (name: string): Buffer => readFileSync(join(directory, name, "model.safetensors"));
  expect(weights("compiled").equals(weights("source"))).toBe(true);
});

test("the compiled command searches as the sources do, its optimizer in a thread of its own", async () => {
  await using family = await createFamily({ items: 20, trials: 3 });
  const [compiled, source] = [await family.outputIn("compiled"), await family.outputIn("source")];
  run(process.execPath, "--conditions=amalgam-dist", "cli/dist/main.js", "search", family.recipe, compiled);
  run(process.execPath, "cli/src/main.ts", "search", family.recipe, source);
  expect(await digestsOf(compiled)).toEqual(await digestsOf(source));
}, 120_000);
