// LoRA adapters through the command: `base+adapter` is what PEFT merges, and its bytes depend on nothing but the inputs.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";
import { float32Values, readDirectory } from "./safetensors.ts";

const golden = fileURLToPath(new URL("../golden/lora", import.meta.url));
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-lora-"));
  cpSync(golden, directory, { recursive: true });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Merges `text` into a directory of its own. */
async function merge(name: string, text: string, ...options: string[]): Promise<string> {
  writeFileSync(join(directory, `${name}.yaml`), text);
  const output = join(directory, `out-${name}`);
  const { code, stdout, stderr } = await run("merge", join(directory, `${name}.yaml`), output, ...options);
  expect(code, stdout + stderr).toBe(0);
  return output;
}

const alone = (model: string): string => `merge_method: linear\nmodels: [{model: ${model}, parameters: {weight: 1}}]\n`;

test.for([
  ["llama", "llama-plain"],
  ["llama", "llama-patterns"],
  ["gpt2", "gpt2-transposed"],
])("%s with %s is what PEFT merges", async ([base, adapter]) => {
  const merged = readDirectory(await merge(adapter!, alone(`${base}+${adapter}`)));
  const wanted = readDirectory(join(golden, `${adapter}-merged`));
  expect([...merged.keys()].toSorted()).toEqual([...wanted.keys()].toSorted());
  for (const [name, tensor] of wanted) {
    expect(merged.get(name)!.shape, name).toEqual(tensor.shape);
    const values = float32Values(merged.get(name)!);
    for (const [i, x] of float32Values(tensor).entries())
      expect(Math.abs(values[i]! - x), `${name}[${i}]`).toBeLessThanOrEqual(1e-6 * Math.abs(x) + 1e-7);
  }
});

const task = `merge_method: ties
base_model: llama
models:
  - { model: llama+llama-plain, parameters: { weight: 1, density: 0.5 } }
  - { model: { path: llama, lora: llama-patterns }, parameters: { weight: 0.5, density: 0.5 } }
`;

test("the bytes do not depend on shards and threads", async () => {
  const bytes = async (name: string, ...options: string[]): Promise<Buffer> =>
    readFileSync(join(await merge(name, task, ...options), "model.safetensors"));
  const whole = await bytes("whole", "--shard-bytes", "1GB", "--threads", "1");
  expect((await bytes("cut", "--shard-bytes", "1B", "--threads", "2")).equals(whole)).toBe(true);
});

test("the manifest names the adapter and its digest, and other scaling is another plan", async () => {
  const output = await merge("manifest", alone("llama+llama-plain"));
  const manifest = JSON.parse(readFileSync(join(output, "amalgam.json"), "utf8")) as {
    inputs: { path: string; files: { name: string }[] }[];
    planDigest: string;
  };
  expect(manifest.inputs.map(({ path }) => path)).toEqual(["llama+llama-plain"]);
  expect(manifest.inputs[0]!.files.map(({ name }) => name)).toEqual(["model.safetensors", "adapter_model.safetensors"]);
  const file = join(directory, "llama-plain", "adapter_config.json");
  writeFileSync(file, readFileSync(file, "utf8").replace('"lora_alpha": 8', '"lora_alpha": 9'));
  const other = await merge("other", alone("llama+llama-plain"));
  expect((JSON.parse(readFileSync(join(other, "amalgam.json"), "utf8")) as { planDigest: string }).planDigest).not.toBe(
    manifest.planDigest,
  );
  expect(readFileSync(join(other, "model.safetensors")).equals(readFileSync(join(output, "model.safetensors")))).toBe(
    false,
  );
});

test("inspect says what an adapter is, and a plan names it with its base", async () => {
  const { stdout } = await run("inspect", join(golden, "llama-patterns"));
  expect(stdout).toContain("a LoRA adapter of llama");
  expect(stdout).toMatch(/up_proj +7 +5 +1/);
  expect(stdout).toMatch(/instead of the base's: lm_head\.weight/);
  writeFileSync(join(directory, "plan.yaml"), task);
  const plan = await run("plan", join(directory, "plan.yaml"));
  expect(plan.code, plan.stderr).toBe(0);
  expect(plan.stdout).toContain(`${join(directory, "llama")}+${join(directory, "llama-plain")}`);
});

test("an adapter that is a pickle stops the merge before any work, with the reason", async () => {
  const folder = join(directory, "pickled");
  cpSync(join(golden, "llama-plain"), folder, { recursive: true });
  rmSync(join(folder, "adapter_model.safetensors"));
  writeFileSync(join(folder, "adapter_model.bin"), "");
  writeFileSync(join(directory, "pickle.yaml"), alone("llama+pickled"));
  const { code, stderr } = await run("merge", join(directory, "pickle.yaml"), join(directory, "out-pickle"));
  expect(code).toBe(65);
  expect(stderr).toContain("adapter_model.bin is a pickle, which can run code when loaded");
});
