// The stack of docs/recipes.md is merged, and its layers are those that the page says.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { float32Values, readDirectory } from "../golden-merges/safetensors.ts";
import { run } from "../harness/program.ts";
import { blocksOf, ROOT } from "./markdown.ts";

test("the stack of docs/recipes.md has the layers that the page says, and their number in its config", async () => {
  const directory = mkdtempSync(join(tmpdir(), "amalgam-stack-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  cpSync(join(ROOT, "tests/golden/mergekit/inputs"), directory, { recursive: true });
  const [block, ...more] = blocksOf("docs/recipes.md").filter(({ note }) => note === "run: a stack");
  expect(more).toEqual([]);
  writeFileSync(join(directory, "stack.yaml"), block!.text);
  const { code, stderr } = await run("merge", join(directory, "stack.yaml"), join(directory, "out"));
  expect(code, stderr).toBe(0);
  const [out, first, second] = ["out", "expert1", "expert2"].map((name) => readDirectory(join(directory, name)));
  expect(JSON.parse(readFileSync(join(directory, "out/config.json"), "utf8"))).toMatchObject({ num_hidden_layers: 7 });
  const layers = [...out!.keys()].flatMap((name) => /layers\.(\d+)\./.exec(name)?.[1] ?? []);
  expect(new Set(layers)).toEqual(new Set(["0", "1", "2", "3", "4", "5", "6"]));
  for (const [name, tensor] of out!) {
    const layer = Number(/layers\.(\d+)\./.exec(name)?.[1] ?? (name.includes("embed") ? 0 : 6));
    const source = layer < 4 ? first! : second!;
    const original = source.get(name.replace(/layers\.\d+/, `layers.${layer < 4 ? layer : layer - 3}`))!;
    const scale = layer >= 4 && name.includes("o_proj") ? 0.5 : 1;
    expect([...float32Values(tensor)], name).toEqual([...float32Values(original)].map((value) => value * scale));
  }
});
