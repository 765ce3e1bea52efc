// Slices of different models whose tensors are cut over shards: statistics of each group are its own, and no byte depends on the cuts.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";
import { float32, type RawTensor, writeSafetensors } from "./safetensors.ts";

let directory: string;
const at = (...parts: string[]): string => join(directory, ...parts);
const SHAPE = [300, 512];

function writeModel(name: string, seed: number, layers: number): void {
  let state = seed;
  const values = (): number[] =>
    Array.from({ length: SHAPE[0]! * SHAPE[1]! }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32 - 0.5;
    });
  const tensors: Record<string, RawTensor> = { "embed.weight": float32(SHAPE, values()) };
  for (let layer = 0; layer < layers; layer++) tensors[`layers.${layer}.weight`] = float32(SHAPE, values());
  mkdirSync(at(name));
  writeSafetensors(
    at(name, "model.safetensors"),
    Object.fromEntries(Object.entries(tensors).map(([n, t]) => [`m.${n}`, t])),
  );
  writeFileSync(at(name, "config.json"), JSON.stringify({ num_hidden_layers: layers }));
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-slices-"));
  writeModel("base", 1, 2);
  writeModel("a", 2, 2);
  writeModel("b", 3, 3);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const RECIPE = `merge_method: ties
base_model: base
slices:
- sources:
  - {model: base, layer_range: [0, 1]}
  - {model: a, layer_range: [0, 1], parameters: {density: 0.3}}
- sources:
  - {model: base, layer_range: [1, 2]}
  - {model: a, layer_range: [0, 1], parameters: {density: 0.6}}
  - {model: b, layer_range: [2, 3]}
parameters: {weight: 1, density: 0.5}
`;

async function merge(out: string, ...options: string[]): Promise<Buffer> {
  writeFileSync(at("recipe.yaml"), RECIPE);
  const { code, stdout, stderr } = await run("merge", at("recipe.yaml"), at(out), ...options);
  expect(code, stdout + stderr).toBe(0);
  return readFileSync(at(out, "model.safetensors"));
}

test("groups with statistics across shards give the bytes of whole tensors", async () => {
  const whole = await merge("whole", "--shard-bytes", "1GB");
  expect((await merge("cut", "--shard-bytes", "700kB", "--threads", "2")).equals(whole)).toBe(true);
});
