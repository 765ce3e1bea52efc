// docs/adding-a-method.md: its method is type-checked, merged with by the real command, and held to the interpreter.
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint, openFileSource } from "@amalgam/checkpoint";
import { buildGraph, type DTypeName, decodeElements, encodeElements, interpret, isFloatDType } from "@amalgam/kernels";
import { loadMethods } from "@amalgam/runtime/methods";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";
import { blocksOf, ROOT } from "./markdown.ts";

const PAGE = "docs/adding-a-method.md";
const blocks = blocksOf(PAGE);
const source = blocks.find(({ note }) => note === "method")!.text;
const command = blocks.find(({ language }) => language === "sh")!.text.trim();

/** Elements of each tensor that are compared: the interpreter is slow on purpose. */
const COMPARED = 2000;

let folder: string;
beforeAll(async () => {
  // Inside the repository, where the type that the file imports is found.
  folder = await mkdtemp(join(ROOT, "tests", ".adding-a-method-"));
  for (const name of ["base", "expert-sentiment", "expert-speech"])
    await cp(join(ROOT, "examples", "quickstart", name), join(folder, name), { recursive: true });
  await writeFile(join(folder, "agreement.ts"), source);
  await writeFile(join(folder, "recipe.yaml"), blocks.find(({ note }) => note === "recipe of agreement")!.text);
  const typeCheck = { extends: "../tsconfig.json", compilerOptions: { types: [] }, include: ["*.ts"] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(typeCheck));
  await mkdir(join(folder, "out"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (arg: string): string => (/\.(ts|yaml)$|^out\//.test(arg) ? join(folder, arg) : arg);

interface Tensor {
  readonly dtype: DTypeName;
  readonly values: Float64Array;
}

async function floats(model: string): Promise<Map<string, Tensor>> {
  const checkpoint = await openCheckpoint(join(folder, model));
  const paths = new Map(checkpoint.files.map(({ name, path }) => [name, path]));
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, file, offset, byteLength } of checkpoint.tensors.values()) {
    if (!isFloatDType(dtype)) continue;
    await using input = await openFileSource(paths.get(file)!);
    const bytes = new Uint8Array(byteLength);
    await input.readInto(bytes, offset);
    tensors.set(name, { dtype, values: decodeElements(bytes, dtype) });
  }
  return tensors;
}

test("the method is about 30 lines, and a correct program", () => {
  expect(source.split("\n").length).toBeLessThanOrEqual(35);
  execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
}, 120_000);

test("the command merges with it, and each tensor is what the interpreter makes of the method", async () => {
  const { code, stderr } = await run(...command.split(" ").slice(2).map(at));
  expect(code, stderr).toBe(0);
  await loadMethods([join(folder, "agreement.ts")]);
  const graph = buildGraph({ method: "agreement", models: 2, hasBase: true, options: { squared: true } });
  const [base, first, second, merged] = await Promise.all(
    ["base", "expert-sentiment", "expert-speech", "out/agreed"].map(floats),
  );
  const layers = Math.max(...[...base!.keys()].map((name) => Number(/\.(\d+)\./.exec(name)?.[1] ?? 0)));
  expect(layers).toBeGreaterThan(0);
  for (const [name, { dtype, values }] of merged!) {
    const layer = /\.(\d+)\./.exec(name)?.[1];
    const scalars = { "weight[0]": 1, "weight[1]": layer === undefined ? 0.5 : 0.5 + (0.5 * Number(layer)) / layers };
    const inputs = [base!, first!, second!].map((model) => model.get(name)!.values.subarray(0, COMPARED));
    const [expected] = interpret(graph, [{ inputs, scalars }], "float32");
    expect(encodeElements(values.subarray(0, COMPARED), dtype), name).toEqual(encodeElements(expected!, dtype));
  }
}, 120_000);

test("without the option its name is unknown, and a path in a recipe loads nothing and says how to", async () => {
  const recipe = join(folder, "path.yaml");
  const text = blocks.find(({ note }) => note === "recipe of agreement")!.text;
  const without = await run("plan", join(folder, "recipe.yaml"));
  expect(without.code).toBe(65);
  expect(without.stderr).toContain("unknown merge method `agreement`");
  await writeFile(recipe, text.replace("agreement", "./agreement.ts"));
  const named = await run("plan", recipe);
  expect(named.code).toBe(65);
  expect(named.stderr).toContain("is loaded by `--method ./agreement.ts`");
});

test("a file that is no method is told by its path and what it lacks", async () => {
  const file = join(folder, "empty.mjs");
  await writeFile(file, "export default () => ({ name: 'empty' });");
  const { code, stderr } = await run("plan", join(folder, "recipe.yaml"), "--method", file);
  expect(code).toBe(65);
  expect(stderr).toContain(`${file}: is not a merge method: \`empty\`: \`summary\` must be a text`);
});
