import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { compareCheckpoints } from "./compatible.ts";
import type { DType } from "./dtype.ts";
import { temporaryDirectory, tensorFile, writeFiles } from "./testing/support.ts";

type Tensors = Record<string, [DType, ...number[]]>;

async function opened(models: Record<string, { tensors: Tensors; config?: string }>): Promise<Checkpoint[]> {
  await using parent = await temporaryDirectory();
  const checkpoints: Checkpoint[] = [];
  for (const [name, { tensors, config = "{}" }] of Object.entries(models)) {
    const specs = Object.entries(tensors).map(([tensor, [dtype, ...shape]]) => ({ name: tensor, dtype, shape }));
    await mkdir(join(parent.path, name));
    await writeFiles(join(parent.path, name), { "model.safetensors": tensorFile(specs), "config.json": config });
    checkpoints.push({ ...(await openCheckpoint(join(parent.path, name))), root: name });
  }
  return checkpoints;
}

test("missing, extra, reshaped tensors and other kinds of dtype are all reported, with model and tensor", async () => {
  const [base, first, second] = await opened({
    base: { tensors: { a: ["F32", 2], b: ["F32", 2, 3], c: ["F32", 1], d: ["I64", 1] } },
    first: { tensors: { a: ["BF16", 2], b: ["F32", 3, 2], d: ["I64", 1], e: ["F32", 1] } },
    second: { tensors: { a: ["F16", 2], b: ["F32", 2, 3], c: ["F32", 1], d: ["F32", 1] } },
  });
  const { problems, warnings, shared } = compareCheckpoints(base!, [first!, second!]);
  expect(problems.map(({ message }) => message)).toEqual([
    'first: tensor "b": shape [3, 2] differs from [2, 3] in the base base',
    'first: tensor "c": missing: the base base has it (all models must be fine-tuned from the same base)',
    'first: tensor "e": the base base has no such tensor',
    'second: tensor "d": dtype F32 is of another kind than I64 in the base base',
  ]);
  expect(warnings).toEqual([]);
  expect(shared).toEqual(["a"]);
});

test("heads that may differ, extra tensors that may be dropped and derived buffers are warnings", async () => {
  const [base, model] = await opened({
    base: { tensors: { a: ["F32", 2], "classifier.weight": ["F32", 2, 2], "embeddings.position_ids": ["I64", 5] } },
    model: { tensors: { a: ["F32", 2], "classifier.weight": ["F32", 3, 2], "other.head": ["F32", 1] } },
  });
  const isOptional = (tensor: string) => tensor.startsWith("classifier.");
  const { problems, warnings, shared } = compareCheckpoints(base!, [model!], { isOptional, extraTensors: "warning" });
  expect(problems).toEqual([]);
  expect(warnings.map(({ tensor }) => tensor).toSorted()).toEqual([
    "classifier.weight",
    "embeddings.position_ids",
    "other.head",
  ]);
  expect(shared).toEqual(["a"]);
});

test("a tied head that only one of base and model stores is no difference", async () => {
  const embedding = { "model.embed_tokens.weight": ["F32", 4, 2] } satisfies Tensors;
  const config = '{"tie_word_embeddings":true}';
  const both: Tensors = { ...embedding, "lm_head.weight": ["F32", 4, 2] };
  const models = await opened({ one: { tensors: embedding, config }, two: { tensors: both, config } });
  for (const [base, model] of [models, models.toReversed()]) {
    expect(compareCheckpoints(base!, [model!])).toMatchObject({ problems: [], warnings: [] });
  }
});
