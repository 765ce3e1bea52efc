// Recipes of several documents, through the command: made in order, taken again when nothing changed, made anew when something did.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";

const inputs = fileURLToPath(new URL("../golden/mergekit/inputs", import.meta.url));
let directory: string;
const at = (...parts: string[]): string => join(directory, ...parts);

const LEFT = `merge_method: linear
models:
- {model: expert1, parameters: {weight: 0.4}}
- {model: expert2, parameters: {weight: [0.2, 0.6]}}
`;
const DEEP = `merge_method: passthrough
slices:
- sources: [{model: left, layer_range: [0, 3]}]
- sources: [{model: expert3, layer_range: [1, 4]}]
`;
const OUTPUT = `merge_method: slerp
base_model: deep
models: [{model: deep}, {model: twin}]
parameters: {t: 0.25}
dtype: float16
`;
const TWIN = DEEP.replace("expert3", "expert2");
const STAGES = [`name: left\n${LEFT}`, `name: deep\n${DEEP}`, OUTPUT, `name: twin\n${TWIN}`].join("---\n");

async function merge(recipe: string, text: string, out: string, ...options: string[]): Promise<string> {
  writeFileSync(at(recipe), text);
  const { code, stdout, stderr } = await run("merge", at(recipe), at(out), ...options);
  expect(code, stdout + stderr).toBe(0);
  return stdout;
}
const weights = (out: string): Buffer => readFileSync(at(out, "model.safetensors"));

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-stages-"));
  cpSync(inputs, directory, { recursive: true });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("the output of stages is that of one merge after the other, and nothing else is left", async () => {
  await merge("stages.yaml", STAGES, "out");
  expect(readdirSync(directory).filter((name) => name.startsWith(".") || name === "left")).toEqual([]);
  for (const [name, text] of Object.entries({ left: LEFT, deep: DEEP, twin: TWIN, output: OUTPUT })) {
    await merge(`${name}.yaml`, text, name);
  }
  expect(weights("out").equals(weights("output"))).toBe(true);
  const config = (out: string): unknown => JSON.parse(readFileSync(at(out, "config.json"), "utf8"));
  expect(config("out")).toEqual(config("output"));
  expect(config("out")).toMatchObject({ num_hidden_layers: 6, torch_dtype: "float16" });
  for (const name of ["left", "deep", "twin"]) rmSync(at(name), { recursive: true });
  // The published recipe is all of them.
  cpSync(at("out", "amalgam-recipe.yaml"), at("again.yaml"));
  await merge("again.yaml", readFileSync(at("again.yaml"), "utf8"), "again");
  expect(weights("again").equals(weights("out"))).toBe(true);
});

test("kept stages are taken when they are intact, and made anew when they or their inputs changed", async () => {
  const steps = async (out: string): Promise<string[]> => {
    const shown = await merge("stages.yaml", STAGES, out, "--stages", at("kept"));
    const told = shown.split("\n").filter((line) => line.startsWith("stage"));
    expect(told.pop()).toBe("stage 4 of 4: the output");
    return told;
  };
  expect(await steps("first")).toEqual(["stage 1 of 4: left", "stage 2 of 4: deep", "stage 3 of 4: twin"]);
  expect(await steps("second")).toEqual(
    ["left", "deep", "twin"].map((name, i) => `stage ${i + 1} of 4: ${name}: already merged, and verified`),
  );
  const damaged = openSync(at("kept", "deep", "model.safetensors"), "r+");
  writeSync(damaged, "x", 20_000);
  expect(await steps("third")).toEqual([
    "stage 1 of 4: left: already merged, and verified",
    "stage 2 of 4: deep",
    "stage 3 of 4: twin: already merged, and verified",
  ]);
  utimesSync(at("expert3", "model-00001-of-00002.safetensors"), 1, 1);
  expect(await steps("fourth")).toEqual([
    "stage 1 of 4: left: already merged, and verified",
    "stage 2 of 4: deep",
    "stage 3 of 4: twin: already merged, and verified",
  ]);
  for (const out of ["second", "third", "fourth"]) expect(weights(out).equals(weights("first")), out).toBe(true);
});

test("every problem of every stage is told before any work, and nothing is left", async () => {
  writeFileSync(
    at("bad.yaml"),
    STAGES.replace("expert2, layer_range: [1, 4]", "expert2, layer_range: [1, 7]").replace(
      "expert3, layer",
      "gone, layer",
    ),
  );
  const { code, stderr } = await run("merge", at("bad.yaml"), at("bad"));
  expect(code).toBe(65);
  expect(stderr).toContain("stage deep: gone:");
  expect(stderr).toContain("stage twin: slice 2: `layer_range` [1, 7]");
  expect(existsSync(at("bad"))).toBe(false);
  const submit = await run("submit", at("stages.yaml"), at("bad"), "--kind", "merge", "--coordinator", "127.0.0.1:1");
  expect(submit.stderr).toContain("a recipe of several stages is one job for each");
});
