// `arithmetic: mergekit` has the bits of mergekit 0.1.4: in float32, bfloat16 and float16, with gradients, filters, slices and casts,
// and its random numbers. exact.json has digests of what mergekit wrote from the golden inputs, converted to each dtype.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPlanInputs, parseRecipe, planJob, withOverrides } from "@amalgam/coordinator";
import { type DTypeName, encodeElements } from "@amalgam/kernels";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../harness/program.ts";
import { mergePlan } from "./merge-plan.ts";
import { float32Values, type RawTensor, readDirectory, writeSafetensors } from "./safetensors.ts";

interface Exact {
  readonly name: string;
  readonly inputs: "F32" | "BF16" | "F16";
  readonly recipe: Readonly<Record<string, unknown>>;
  readonly sha256: string;
}
const golden = fileURLToPath(new URL("../golden/mergekit", import.meta.url));
const exact = JSON.parse(readFileSync(join(golden, "exact.json"), "utf8")) as readonly Exact[];
const MERGEKIT = ["--mergekit-arithmetic", "--random-seed", "7"];
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-arithmetic-"));
  for (const dtype of ["F32", "BF16", "F16"] as const) {
    for (const model of ["base", "expert1", "expert2", "expert3"]) {
      const to = join(directory, dtype, model);
      mkdirSync(to, { recursive: true });
      cpSync(join(golden, "inputs", model, "config.json"), join(to, "config.json"));
      const converted = [...readDirectory(join(golden, "inputs", model))].map(
        ([name, tensor]) => [name, convert(tensor, dtype)] as const,
      );
      writeSafetensors(join(to, "model.safetensors"), Object.fromEntries(converted));
    }
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const convert = (tensor: RawTensor, dtype: DTypeName): RawTensor => ({
  dtype,
  shape: tensor.shape,
  bytes: encodeElements(float32Values(tensor), dtype),
});

/** Of names, dtypes and bytes, in the order of the names. */
function digest(tensors: ReadonlyMap<string, Pick<RawTensor, "dtype" | "bytes">>): string {
  const hash = createHash("sha256");
  for (const name of [...tensors.keys()].toSorted()) {
    const { dtype, bytes } = tensors.get(name)!;
    hash.update(`${name}\0${dtype}\0`).update(bytes);
  }
  return hash.digest("hex");
}

describe("mergekit's bits", () => {
  test.for(exact)("$name", async ({ inputs, recipe, sha256 }) => {
    const text = withOverrides(JSON.stringify(recipe), { arithmetic: "mergekit", seed: 7 });
    const parsed = parseRecipe(text, { fileName: "recipe.yaml" });
    const { headers } = await loadPlanInputs(parsed, join(directory, inputs));
    expect(digest(mergePlan(planJob({ recipe: parsed, headers })))).toBe(sha256);
  });
});

/** Through files, processes and threads; `cut` lies in the middle of tensors and of the generator's sequence. */
describe("the command", () => {
  const cut = ["--shard-bytes", "9kB", "--threads", "3"];
  const merge = async (text: string, inputs: string, name: string, ...options: string[]): Promise<string> => {
    const recipe = join(directory, inputs, `${name}.yaml`);
    const output = join(directory, `out-${inputs}-${name}-${options.length}`);
    writeFileSync(recipe, text);
    const { code, stdout, stderr } = await run("merge", recipe, output, ...MERGEKIT, ...options);
    expect(code, stdout + stderr).toBe(0);
    return output;
  };
  const named = (name: string): Exact => exact.find((each) => each.name === name)!;

  test.for([
    "dare_ties of bf16",
    "grad_dare of f16",
    "slicesb_dare of bf16",
    "ta of f32 in bfloat16",
    "della_eps of f32",
  ])("gives mergekit's bits for %s, in one shard or in many", async (name) => {
    const { recipe, inputs, sha256 } = named(name);
    const file = name.split(" ")[0]!;
    expect(digest(readDirectory(await merge(JSON.stringify(recipe), inputs, file)))).toBe(sha256);
    expect(digest(readDirectory(await merge(JSON.stringify(recipe), inputs, file, ...cut)))).toBe(sha256);
  });

  test.for(["dare_linear", "dare_ties", "della", "della_linear"])(
    "gives mergekit's masks for %s in float32, and its values but for the order in which torch sums the norms that rescale",
    async (name) => {
      const text = readFileSync(join(golden, "recipes", `${name}.yaml`), "utf8");
      const merged = readDirectory(await merge(text, "F32", name, ...cut));
      for (const [tensor, wanted] of readDirectory(join(golden, "expected", name))) {
        const values = float32Values(merged.get(tensor)!);
        for (const [i, x] of float32Values(wanted).entries())
          expect(Math.abs(values[i]! - x), `${tensor}[${i}]`).toBeLessThanOrEqual(3e-7 * Math.abs(x) + 1e-8);
      }
    },
  );

  test("is within a bfloat16 step of the default arithmetic, which rounds once", async () => {
    const { recipe, inputs } = named("ta of bf16");
    const theirs = readDirectory(await merge(JSON.stringify(recipe), inputs, "theirs"));
    const output = join(directory, "out-ours");
    writeFileSync(join(directory, inputs, "ours.yaml"), JSON.stringify(recipe));
    expect((await run("merge", join(directory, inputs, "ours.yaml"), output)).code).toBe(0);
    const [bases, ...experts] = ["base", "expert1", "expert2", "expert3"].map((m) =>
      readDirectory(join(golden, "inputs", m)),
    );
    for (const [tensor, { bytes }] of readDirectory(output)) {
      const [ours, mergekit] = [bfloats(bytes), bfloats(theirs.get(tensor)!.bytes)];
      const base = float32Values(bases!.get(tensor)!);
      const models = experts.map((expert) => float32Values(expert.get(tensor)!));
      for (const [i, x] of ours.entries()) {
        // A step of what is added, not of a sum that cancels.
        const added = models.reduce((total, model) => total + Math.abs(model[i]! - base[i]!), Math.abs(base[i]!));
        expect(Math.abs(x - mergekit[i]!), `${tensor}[${i}]`).toBeLessThanOrEqual(2 ** -7 * added);
      }
    }
  });
});

const bfloats = (bytes: Uint8Array): Float32Array =>
  Float32Array.from(
    new Uint16Array(Uint8Array.from(bytes).buffer),
    (code) => new Float32Array(Uint32Array.of(code << 16).buffer)[0]!,
  );

test("a recipe that mergekit's arithmetic does not know how to compute is refused", async () => {
  const recipe = join(directory, "F32", "bad.yaml");
  const text = "merge_method: linear\nmodels: [{model: expert1, parameters: {weight: 1}}]\n";
  writeFileSync(recipe, `${text}arithmetic: mergekit\ndtype: float64\nseed: 4294967296\n`);
  const { code, stdout, stderr } = await run("plan", recipe);
  expect(code).toBe(65);
  expect(stdout + stderr).toContain(
    "bad.yaml:4: with `arithmetic: mergekit`, `dtype` must be float32, bfloat16 or float16",
  );
  expect(stdout + stderr).toContain("bad.yaml:5: with `arithmetic: mergekit`, `seed` is at most 4294967295");
  writeFileSync(
    recipe,
    text.replace("models: [", "models: [{model: ../BF16/expert1, name: other, parameters: {weight: 1}}, "),
  );
  const mixed = await run("plan", recipe, "--mergekit-arithmetic");
  expect(mixed.code).toBe(65);
  expect(mixed.stdout + mixed.stderr).toContain("the models' dtypes differ (BF16, F32)");
});
