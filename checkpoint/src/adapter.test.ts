import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openAdapter } from "./adapter.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { problemsOf } from "./errors.ts";
import type { TensorSpec } from "./layout.ts";
import { temporaryDirectory, tensorFile, writeFiles } from "./testing/support.ts";
import { withAdapter } from "./with-adapter.ts";

const BASE: TensorSpec[] = [
  { name: "model.embed_tokens.weight", dtype: "BF16", shape: [8, 4] },
  { name: "model.layers.0.q_proj.weight", dtype: "BF16", shape: [6, 4] },
  { name: "model.layers.0.norm.weight", dtype: "BF16", shape: [4] },
  { name: "model.layers.0.conv.weight", dtype: "F32", shape: [6, 4, 3, 3] },
];
const CONFIG = { peft_type: "LORA", r: 2, lora_alpha: 4 };
const q = (side: "A" | "B", shape: number[], dtype: TensorSpec["dtype"] = "F32"): TensorSpec => ({
  name: `base_model.model.model.layers.0.q_proj.lora_${side}.weight`,
  dtype,
  shape,
});

async function setUp(config: object, tensors: readonly TensorSpec[], extra: Record<string, string> = {}) {
  const directory = await temporaryDirectory();
  const [base, adapter] = [join(directory.path, "base"), join(directory.path, "adapter")];
  await Promise.all([mkdir(base), mkdir(adapter)]);
  await writeFiles(base, { "model.safetensors": tensorFile(BASE), "config.json": '{"tie_word_embeddings": true}' });
  await writeFiles(adapter, { "adapter_config.json": JSON.stringify(config), ...extra });
  if (tensors.length > 0) await writeFiles(adapter, { "adapter_model.safetensors": tensorFile(tensors) });
  return {
    base,
    adapter,
    apply: async () => withAdapter(await openCheckpoint(base), await openAdapter(adapter)),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

async function problems(config: object, tensors: readonly TensorSpec[], extra?: Record<string, string>) {
  await using place = await setUp(config, tensors, extra);
  try {
    await place.apply();
  } catch (error) {
    return problemsOf(error).map(({ message }) => message.replaceAll(place.adapter, "adapter"));
  }
  return [];
}

test("a product is read from the base's weight and the adapter's factors, scaled by alpha over the rank", async () => {
  await using place = await setUp(CONFIG, [q("A", [2, 4]), q("B", [6, 2])]);
  const merged = await place.apply();
  const tensor = merged.tensors.get("model.layers.0.q_proj.weight");
  expect(tensor).toMatchObject({ dtype: "BF16", shape: [6, 4], derived: { dtype: "F32", rowElements: 4 } });
  const [source] = tensor!.derived!.sources;
  expect(source).toMatchObject({ dtype: "BF16", rows: 6, offset: tensor!.offset, lowRank: { rank: 2, scale: 2 } });
  expect(source!.lowRank!.left).toMatchObject({
    rows: 6,
    transposed: false,
    file: { name: "adapter_model.safetensors" },
  });
  expect(source!.lowRank!.right).toMatchObject({ rows: 2, transposed: false });
  expect(merged.tensors.get("model.layers.0.norm.weight")!.derived).toBeUndefined();
  expect(merged.files.map(({ name }) => name)).toEqual(["model.safetensors", "adapter_model.safetensors"]);
});

test("a convolution's factors are matrices: its kernels are rows of the right one", async () => {
  const name = "base_model.model.model.layers.0.conv.lora";
  const a = { name: `${name}_A.weight`, dtype: "F32" as const, shape: [2, 4, 3, 3] };
  const b = { name: `${name}_B.weight`, dtype: "F32" as const, shape: [6, 2, 1, 1] };
  await using place = await setUp(CONFIG, [a, b]);
  const derived = (await place.apply()).tensors.get("model.layers.0.conv.weight")!.derived!;
  expect(derived).toMatchObject({ rowElements: 36, sources: [{ rows: 6, lowRank: { rank: 2 } }] });
});

test("the identity of a base with an adapter changes with either, and with the scaling", async () => {
  const identity = async (config: object, tensors: readonly TensorSpec[]) => {
    await using place = await setUp(config, tensors);
    return (await place.apply()).identityDigest;
  };
  const tensors = [q("A", [2, 4]), q("B", [6, 2])];
  const all = await Promise.all([
    identity(CONFIG, tensors),
    identity({ ...CONFIG, lora_alpha: 5 }, tensors),
    identity({ ...CONFIG, use_rslora: true }, tensors),
    identity(CONFIG, [q("A", [1, 4]), q("B", [6, 1])]),
  ]);
  expect(new Set(all).size).toBe(all.length);
  expect(await identity(CONFIG, tensors)).toBe(all[0]);
});

test.for<[string, object, RegExp]>([
  ["another kind of adapter", { peft_type: "IA3" }, /peft_type is "IA3": only LORA adapters/],
  ["DoRA", { ...CONFIG, use_dora: true }, /`use_dora` is set.*merge_and_unload/],
  ["biased factors", { ...CONFIG, lora_bias: true }, /`lora_bias` is set/],
  ["repeated layers", { ...CONFIG, layer_replication: [[0, 1]] }, /`layer_replication`/],
  ["a changed base", { ...CONFIG, init_lora_weights: "pissa_niter_4" }, /init_lora_weights: pissa_niter_4/],
  ["a missing alpha", { peft_type: "LORA", r: 2 }, /`lora_alpha` must be a number, not "?missing/],
  ["an expression among names", { ...CONFIG, alpha_pattern: { "(a+)+$": 3 } }, /regular expression "\(a\+\)\+\$"/],
  ["a word for an alpha", { ...CONFIG, alpha_pattern: { q_proj: "two" } }, /must be a number, not "two"/],
])("%s is refused by name", async ([, config, message]) => {
  expect(await problems(config, [q("A", [2, 4]), q("B", [6, 2])])).toEqual([expect.stringMatching(message)]);
});

test.for<[string, readonly TensorSpec[], RegExp]>([
  ["half a product", [q("A", [2, 4])], /lora_B, is missing/],
  ["shapes that do not fit", [q("A", [2, 5]), q("B", [6, 2])], /\[6, 2\] times \[2, 5\] does not give.*\[6, 4\]/],
  ["ranks that differ", [q("A", [3, 4]), q("B", [6, 2])], /does not give/],
  ["integers", [q("A", [2, 4], "I32"), q("B", [6, 2])], /I32 is no float dtype/],
  [
    "a module that the base lacks",
    [
      { name: "base_model.model.elsewhere.lora_A.weight", dtype: "F32", shape: [2, 4] },
      { name: "base_model.model.elsewhere.lora_B.weight", dtype: "F32", shape: [6, 2] },
    ],
    /has no tensor elsewhere\.weight/,
  ],
  [
    "a head that the base ties",
    [{ name: "base_model.model.lm_head.weight", dtype: "F32", shape: [8, 4] }],
    /ties lm_head\.weight to model\.embed_tokens\.weight/,
  ],
  [
    "a vector with a product",
    [
      { name: "base_model.model.model.layers.0.norm.lora_A.weight", dtype: "F32", shape: [2, 1] },
      { name: "base_model.model.model.layers.0.norm.lora_B.weight", dtype: "F32", shape: [4, 2] },
    ],
    /does not give/,
  ],
  [
    "another embedding",
    [{ name: "base_model.model.model.embed_tokens.weight", dtype: "F32", shape: [9, 4] }],
    /\[9, 4\] differs from \[8, 4\]/,
  ],
  [
    "what is no part of LoRA",
    [{ name: "base_model.model.model.layers.0.q_proj.lora_magnitude_vector", dtype: "F32", shape: [6] }],
    /neither a factor/,
  ],
])("%s: the tensor is named", async ([, tensors, message]) => {
  const found = await problems(CONFIG, tensors);
  expect(found.length).toBeGreaterThan(0);
  expect(
    found.some((line) => message.test(line)),
    found.join("\n"),
  ).toBe(true);
  for (const line of found) expect(line).toContain("adapter/adapter_model.safetensors: tensor ");
});

test("a pickle is refused with the reason, and what is no adapter as such", async () => {
  expect(await problems(CONFIG, [], { "adapter_model.bin": "" })).toEqual([
    expect.stringMatching(/adapter_model\.bin is a pickle, which can run code/),
  ]);
  expect(await problems(CONFIG, [])).toEqual([expect.stringMatching(/no adapter_model\.safetensors/)]);
});

test("an adapter given as a checkpoint is told where it belongs", async () => {
  await using place = await setUp(CONFIG, [q("A", [2, 4]), q("B", [6, 2])]);
  await expect(openCheckpoint(place.adapter)).rejects.toThrow(/LoRA adapter.*base\+adapter/);
});
