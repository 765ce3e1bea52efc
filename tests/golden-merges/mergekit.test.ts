// What mergekit 0.1.4 wrote, through the command: `amalgam merge` of its recipes gives the same bytes.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";
import { float32Values, readDirectory } from "./safetensors.ts";

const golden = fileURLToPath(new URL("../golden/mergekit", import.meta.url));
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-mergekit-"));
  // The recipes name their models as siblings.
  for (const folder of ["inputs", "recipes"]) cpSync(join(golden, folder), directory, { recursive: true });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function merge(recipe: string, out: string, ...options: string[]): Promise<string> {
  const output = join(directory, out);
  const { code, stdout, stderr } = await run("merge", join(directory, `${recipe}.yaml`), output, ...options);
  expect(code, stdout + stderr).toBe(0);
  return output;
}

const readConfig = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;

test.for([
  "linear",
  "linear_unnormalized",
  "task_arithmetic",
  "ties",
  "ties_gradient_filter",
  "passthrough_slices",
  "slices_ties",
  "slices_bases",
  "modules_slices",
])("%s has mergekit's bits in every tensor", async (recipe) => {
  const output = await merge(recipe, `out-${recipe}`);
  const wanted = readDirectory(join(golden, "expected", recipe));
  const merged = readDirectory(output);
  expect([...merged.keys()].toSorted()).toEqual([...wanted.keys()].toSorted());
  for (const [name, { dtype, shape, bytes }] of wanted) {
    expect(merged.get(name), name).toMatchObject({ dtype, shape });
    expect(Buffer.compare(merged.get(name)!.bytes, bytes), name).toBe(0);
  }
});

test.for(["breadcrumbs", "breadcrumbs_ties", "nearswap", "ram"])("%s has mergekit's bits too", async (recipe) => {
  const merged = readDirectory(await merge(recipe, `out-${recipe}`));
  for (const [name, { bytes }] of readDirectory(join(golden, "expected", recipe)))
    expect(Buffer.compare(merged.get(name)!.bytes, bytes), name).toBe(0);
});

test.for(["slerp", "nuslerp", "multislerp", "karcher", "model_stock", "sce"])(
  "%s has mergekit's numbers, but for the order in which it sums a tensor",
  async (recipe) => {
    const merged = readDirectory(await merge(recipe, `out-${recipe}`));
    for (const [name, wanted] of readDirectory(join(golden, "expected", recipe))) {
      const values = float32Values(merged.get(name)!);
      for (const [i, x] of float32Values(wanted).entries())
        expect(Math.abs(values[i]! - x), `${name}[${i}]`).toBeLessThanOrEqual(2e-6 * Math.abs(x) + 5e-8);
    }
  },
);

test.for(["slices_linear", "modules_models"])("%s has mergekit's numbers, but for the last bits", async (recipe) => {
  const merged = readDirectory(await merge(recipe, `out-${recipe}`));
  const wanted = readDirectory(join(golden, "expected", recipe));
  expect([...merged.keys()].toSorted()).toEqual([...wanted.keys()].toSorted());
  for (const [name, { bytes }] of wanted) {
    const values = float32Values(merged.get(name)!);
    for (const [i, x] of float32Values({ dtype: "F32", shape: [], bytes }).entries())
      expect(Math.abs(values[i]! - x), `${name}[${i}]`).toBeLessThanOrEqual(2 ** -22 * Math.max(Math.abs(x), 2 ** -5));
  }
});

test.for([
  { recipe: "passthrough_slices", layers: 6 },
  { recipe: "slices_ties", layers: 5 },
  { recipe: "modules_slices", layers: 6 },
  { recipe: "slices_linear", layers: 4 },
])("the config of $recipe has its $layers layers, as mergekit's has", ({ recipe, layers }) => {
  const ours = readConfig(join(directory, `out-${recipe}`));
  expect(ours["num_hidden_layers"]).toBe(layers);
  expect(readConfig(join(golden, "expected", recipe))["num_hidden_layers"]).toBe(layers);
  const donor = readConfig(join(golden, "inputs/base"));
  expect({ ...ours, num_hidden_layers: 4, torch_dtype: "" }).toEqual({ ...donor, torch_dtype: "" });
});

test("config.json is the base's, untouched; mergekit's agrees wherever transformers did not rewrite it", () => {
  const ours = readConfig(join(directory, "out-ties"));
  expect(ours).toEqual(readConfig(join(golden, "inputs/base")));
  const theirs = readConfig(join(golden, "expected/ties"));
  // transformers 5 renames `torch_dtype` to `dtype`, moves `rope_theta` into `rope_parameters`, and adds its defaults.
  const { torch_dtype, rope_theta, ...rest } = ours;
  expect(theirs).toMatchObject({ ...rest, dtype: torch_dtype, rope_parameters: { rope_theta } });
});

test.for([
  ["--shard-bytes", "1B"],
  ["--shard-bytes", "20kB", "--threads", "1"],
  ["--shard-bytes", "100kB", "--threads", "3", "--memory", "64MiB"],
  ["--shard-bytes", "1GB", "--threads", "2"],
])("the bytes do not depend on %s", async (options) => {
  const output = await merge("ties", `out-${options.join("")}`, ...options);
  const wanted = readFileSync(join(golden, "expected/ties/model.safetensors"));
  expect(readFileSync(join(output, "model.safetensors")).equals(wanted)).toBe(true);
});

test.for(["dare_linear", "dare_ties", "della", "della_linear"])(
  "%s gives the bytes of its seed, whatever the sharding and threads",
  async (recipe) => {
    const bytes = async (name: string, out: string, ...options: string[]): Promise<Buffer> =>
      readFileSync(join(await merge(name, out, ...options), "model.safetensors"));
    const text = readFileSync(join(directory, `${recipe}.yaml`), "utf8");
    writeFileSync(join(directory, `${recipe}-seed.yaml`), `${text}seed: 1\n`);
    const whole = await bytes(recipe, `${recipe}-whole`, "--shard-bytes", "1GB", "--threads", "1");
    expect((await bytes(recipe, `${recipe}-cut`, "--shard-bytes", "10kB", "--threads", "2")).equals(whole)).toBe(true);
    expect((await bytes(`${recipe}-seed`, `${recipe}-other`)).equals(whole)).toBe(false);
  },
);
