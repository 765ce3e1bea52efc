import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { diffCheckpoints } from "./diff.ts";
import { sha256Bytes } from "./digest.ts";
import { localFingerprint, recordInputs } from "./input-identity.ts";
import { inspectCheckpoint } from "./inspect.ts";
import { layerOf } from "./layer.ts";
import { layoutFile } from "./layout.ts";
import { modelCard } from "./model-card.ts";
import { collectSideFiles } from "./side-file-copy.ts";
import { temporaryDirectory, tensorFile, writeFiles } from "./testing/support.ts";

const golden = (model: string) => join(import.meta.dirname, "../../tests/golden/mergekit/inputs", model);

/** A checkpoint with these float32 tensors. */
async function floats(path: string, tensors: Record<string, number[]>): Promise<Checkpoint> {
  const specs = Object.entries(tensors).map(([name, { length }]) => ({ name, dtype: "F32", shape: [length] }) as const);
  const { header, fileBytes, tensors: places } = layoutFile(specs);
  const bytes = new Uint8Array(fileBytes);
  bytes.set(header);
  for (const [name, values] of Object.entries(tensors)) {
    bytes.set(new Uint8Array(Float32Array.from(values).buffer), places.get(name)!.begin);
  }
  await writeFile(path, bytes);
  return openCheckpoint(path);
}

test("a two-file checkpoint written by mergekit's tools is read, inspected and compared", async () => {
  const [base, expert] = await Promise.all([openCheckpoint(golden("base")), openCheckpoint(golden("expert1"))]);
  const report = inspectCheckpoint(base);
  expect(report).toMatchObject({
    architecture: "LlamaForCausalLM",
    modelType: "llama",
    total: { tensors: 39, parameters: 43_296, bytes: 173_184 },
    sideFiles: ["config.json"],
    tied: [],
  });
  expect(report.files.map(({ tensors }) => tensors).reduce((sum, count) => sum + count)).toBe(39);
  expect(report.byLayer.get("model.layers.0")?.tensors).toBe(9);
  expect(report.byLayer.get(undefined)?.tensors).toBe(3);
  expect(report.byDType.get("F32")).toEqual(report.total);
  expect(report.modules).toEqual([{ name: "default", layers: 4, ...report.total }]);
  const { total, onlyInA, onlyInB } = await diffCheckpoints(base, expert);
  expect([onlyInA, onlyInB, total.elements]).toEqual([[], [], 43_296]);
  expect(total.cosine).toBeGreaterThan(0.5);
  expect(total.l2).toBeGreaterThan(0);
});

test("distances are those of the definition, per tensor, per layer and in total", async () => {
  await using directory = await temporaryDirectory();
  const at = (name: string) => join(directory.path, name);
  const a = await floats(at("a"), { "h.0.w": [3, 0], "h.0.b": [0, 4], norm: [1], gone: [1], shape: [1] });
  const b = await floats(at("b"), { "h.0.w": [0, 4], "h.0.b": [0, 4], norm: [1], come: [1], shape: [1, 2] });
  const fractions: number[] = [];
  const diff = await diffCheckpoints(a, b, { onProgress: (fraction) => fractions.push(fraction) });
  expect(diff.tensors.get("h.0.w")).toEqual({ l2: 5, relative: 5 / 3, cosine: 0, maxAbs: 4, elements: 2 });
  expect(diff.layers.get("h.0")).toEqual({
    l2: 5,
    relative: 1,
    cosine: 16 / (5 * Math.sqrt(32)),
    maxAbs: 4,
    elements: 4,
  });
  expect(diff.layers.get(undefined)).toEqual({ l2: 0, relative: 0, cosine: 1, maxAbs: 0, elements: 1 });
  expect(diff.total.elements).toBe(5);
  expect(diff).toMatchObject({ onlyInA: ["gone"], onlyInB: ["come"], reshaped: ["shape"] });
  expect(fractions.at(-1)).toBe(1);
});

test("a NaN makes the distance NaN instead of hiding", async () => {
  await using directory = await temporaryDirectory();
  const a = await floats(join(directory.path, "a"), { w: [1, 2] });
  const b = await floats(join(directory.path, "b"), { w: [1, Number.NaN] });
  expect((await diffCheckpoints(a, b)).total).toMatchObject({ l2: Number.NaN, maxAbs: Number.NaN, cosine: Number.NaN });
});

test.each([
  ["model.layers.12.mlp.up_proj.weight", "model.layers.12"],
  ["bert.encoder.layer.0.output.dense.bias", "bert.encoder.layer.0"],
  ["h.3.ln_1.weight", "h.3"],
  ["model.layers.0.mlp.experts.7.w1.weight", "model.layers.0"],
  ["lm_head.weight", undefined],
  ["conv1.weight", undefined],
])("%s belongs to layer %s", (tensor, layer) => {
  expect(layerOf(tensor)).toBe(layer);
});

test("the fingerprint notices a touched file, the full digests notice changed data only", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "w.safetensors");
  const bytes = tensorFile([{ name: "a", dtype: "U8", shape: [100] }]);
  await writeFile(path, bytes);
  const before = await openCheckpoint(path);
  const { headerSha256 } = before.files[0]!;
  const record = { name: "w.safetensors", byteLength: bytes.length, headerSha256 };
  expect(await recordInputs(before, false)).toEqual([record]);
  expect(await recordInputs(before, true)).toEqual([{ ...record, sha256: sha256Bytes(bytes) }]);
  await utimes(path, 5, 5);
  await expect(recordInputs(before, false)).rejects.toThrow(/changed after it was checked/);
  const after = await openCheckpoint(path);
  expect(after.identityDigest).toBe(before.identityDigest);
  expect(localFingerprint(after)).not.toBe(localFingerprint(before));
  expect(await recordInputs(after, true)).toEqual(await recordInputs(await openCheckpoint(path), true));
});

test("side files are collected with their bytes, and replaced ones come from the caller", async () => {
  await using directory = await temporaryDirectory();
  const weights = tensorFile([{ name: "a", dtype: "U8", shape: [1] }]);
  await writeFiles(directory.path, {
    "model.safetensors": weights,
    "config.json": "{}",
    "vocab.txt": "v",
    "run.py": "x",
  });
  const files = await collectSideFiles(await openCheckpoint(directory.path), { "config.json": '{"x":1}' });
  expect(files.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual([
    ["config.json", '{"x":1}'],
    ["vocab.txt", "v"],
  ]);
});

test("a model card quotes what comes from outside and shows scores with their errors", () => {
  const card = modelCard({
    title: "Merged\nmodel",
    models: ["org/base", "./local/expert", "a`b"],
    method: "fisher",
    recipe: "models:\n```\n- x\n",
    scores: {
      metric: "accuracy",
      tasks: ["sst2", "a|b"],
      rows: [{ model: "merged", scores: [{ value: 0.91234, standardError: 0.005 }, undefined] }],
    },
  });
  expect(card).toBe(
    [
      "---",
      "base_model:",
      '- "org/base"',
      "library_name: transformers",
      "tags:",
      "- merge",
      "- amalgam",
      "---",
      "# Merged model",
      "",
      "A merge of these models, made with Amalgam (fisher):",
      "",
      "* `org/base`",
      "* `./local/expert`",
      "* `` a`b ``",
      "",
      "## Scores",
      "",
      "| accuracy | sst2 | a\\|b |",
      "| --- | ---: | ---: |",
      "| merged | 0.9123 ± 0.0050 |  |",
      "",
      "## Recipe",
      "",
      "````yaml",
      "models:",
      "```",
      "- x",
      "````",
      "",
      "`amalgam.json` has the digests of the inputs and of every tensor and file here.",
      "",
    ].join("\n"),
  );
});
