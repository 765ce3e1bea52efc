import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { readModelDirectory } from "../model-directory.ts";
import { createScorer } from "../scorer.ts";
import { goldenPath, uniform } from "../testing/fixtures.ts";
import { parseTasks, type TaskSet } from "./task.ts";

const folder = goldenPath("clip-features");
const head = await readFile(`${folder}/head.safetensors`);
const { config, weights } = await readModelDirectory(folder);
const processor = { image_processor_type: "CLIPImageProcessor", do_resize: false, do_center_crop: false };
const random = uniform(5);
const images = Uint8Array.from({ length: 6 * 64 }, () => Math.floor(256 * random()));

function idx(values: Uint8Array, ...dims: number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.writeUInt32BE(0x800 + dims.length);
  for (const [axis, dim] of dims.entries()) header.writeUInt32BE(dim, 4 + 4 * axis);
  return Buffer.concat([header, values]);
}

function tasksOf(keys: string, names: readonly string[] = ["t"], bytes: Uint8Array = head): TaskSet {
  const files = { x: idx(images, 6, 8, 8), y: idx(Uint8Array.of(0, 1, 2, 3, 0, 1), 6), "head.safetensors": bytes };
  return parseTasks(
    names.map((name) => ({
      path: `${name}.yaml`,
      yaml: `name: ${name}\nkind: image_classification\nlabels: [a, b, c, d]\n${keys}splits: {test: {images: x, labels: y}}\n`,
      files: new Map(Object.entries(files)),
    })),
  );
}
const open = (tasks: TaskSet) => createScorer({ config, preprocessor: processor, tasks, threads: 1 });

test("each task has its own head: its score and Fisher information are the same whatever other tasks there are", async () => {
  await using alone = await open(tasksOf("head: head.safetensors\n"));
  await using both = await open(tasksOf("head: head.safetensors\n", ["first", "t"]));
  const score = await alone.score(weights, "t", "test");
  expect(score.items).toBe(6);
  expect(await both.score(weights, "t", "test")).toEqual(score);
  const fisher = await alone.fisher(weights, "t", "test", { items: 3 });
  const found = await both.fisher(weights, "t", "test", { items: 3 });
  for (const [name, values] of fisher.tensors) {
    const largest = Math.max(...values);
    const differences = values.map((value, i) => Math.abs(value - found.tensors.get(name)![i]!));
    expect(Math.max(...differences), name).toBeLessThanOrEqual(1e-4 * largest + 1e-12);
  }
});

test("a model of features without a head, and heads that do not fit, are refused", async () => {
  await expect(open(tasksOf(""))).rejects.toThrow("task t: CLIPModel gives image features: the task needs a `head`");
  const other = { ...(config as object), architectures: ["CLIPVisionModel"] };
  await expect(
    createScorer({ config: other, preprocessor: processor, tasks: tasksOf("head: head.safetensors\n"), threads: 1 }),
  ).rejects.toThrow(/task t: its head reads 6 features, and CLIPVisionModel gives \d+/);
  expect(() => tasksOf("head: head.safetensors\nlabel_offset: 1\n")).toThrow(
    "t.yaml: label_offset: is of a model's own classifier, and the task has a head",
  );
  expect(() => tasksOf("head: head.safetensors\n", ["t"], head.subarray(0, 20))).toThrow(/^head.safetensors: /);
  expect(() => tasksOf("head: other.safetensors\n")).toThrow("t.yaml: head: other.safetensors is missing");
});
