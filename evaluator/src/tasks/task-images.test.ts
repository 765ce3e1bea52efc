import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { readModelDirectory } from "../model-directory.ts";
import { createScorer } from "../scorer.ts";
import { goldenPath, jsonLines, uniform } from "../testing/fixtures.ts";
import { parseTasks, type Task } from "./task.ts";
import { loadTasks } from "./task-files.ts";

/** What the golden ViT reads: 8 x 10 grey pixels. */
const [height, width, items] = [8, 10, 12];
const random = uniform(3);
const images = Array.from({ length: items }, () =>
  Uint8Array.from({ length: height * width }, () => Math.floor(256 * random())),
);
const labels = images.map((_, item) => item % 3);
const processor = {
  image_processor_type: "ViTImageProcessor",
  size: { height, width },
  image_mean: [0.5],
  image_std: [0.25],
};
let pngs: Uint8Array[] = [];
beforeAll(async () => {
  pngs = await Promise.all(
    images.map((data) =>
      sharp(data, { raw: { width, height, channels: 1 } })
        .png()
        .toBuffer(),
    ),
  );
});

const nameOf = (item: number): string => `img/${"abc"[labels[item]!]}/${String(item).padStart(2, "0")}.png`;
const header = "name: t\nkind: image_classification\nlabels: [a, b, c]\n";

function idx(values: Uint8Array, ...dims: number[]): Uint8Array {
  const head = Buffer.alloc(4 + 4 * dims.length);
  head.writeUInt32BE(0x800 + dims.length);
  for (const [axis, dim] of dims.entries()) head.writeUInt32BE(dim, 4 + 4 * axis);
  return Buffer.concat([head, values]);
}

const idxFiles = (): Record<string, Uint8Array> => ({
  "x.gz": gzipSync(idx(Buffer.concat(images), items, height, width)),
  y: idx(Uint8Array.from(labels), items),
});

function parse(splits: string, files: Readonly<Record<string, Uint8Array>>): Task {
  const source = { path: "t.yaml", yaml: `${header}${splits}\n`, files: new Map(Object.entries(files)) };
  return parseTasks([source]).get("t")!;
}

test("a folder, a table and IDX files give the same score of the same images", async () => {
  const folder = await mkdtemp(join(tmpdir(), "amalgam-images-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const write = async (name: string, data: Uint8Array | string): Promise<void> => {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), data);
  };
  for (const [item, png] of pngs.entries()) await write(nameOf(item), png);
  const rows = images.map((_, item) => ({ image: nameOf(item).slice("img/".length), label: "abc"[labels[item]!] }));
  await write("t.jsonl", jsonLines(...rows));
  for (const [name, bytes] of Object.entries(idxFiles())) await write(name, bytes);
  await write(
    "t.yaml",
    `${header}images: img\nsplits: {folder: img, table: t.jsonl, idx: {images: x.gz, labels: y}}\n`,
  );
  await cp(goldenPath("vit"), join(folder, "model"), { recursive: true });
  await write("model/preprocessor_config.json", JSON.stringify(processor));

  const model = await readModelDirectory(join(folder, "model"));
  const tasks = await loadTasks([join(folder, "t.yaml")]);
  await using scorer = await createScorer({ ...model, sideFiles: new Map(), tasks, threads: 2, batchItems: 5 });
  const [byFolder, byTable, byIdx] = await Promise.all(
    ["folder", "table", "idx"].map((split) => scorer.score(model.weights, "t", split)),
  );
  expect(byTable).toEqual({ ...byIdx!, split: "table" });
  expect(byFolder).toMatchObject({ items, score: byIdx!.score });
  expect(byFolder!.loss).toBeCloseTo(byIdx!.loss, 6);
  // In a folder the items lie label by label.
  const order = [0, 1, 2].flatMap((label) => [...labels.keys()].filter((item) => labels[item] === label));
  expect([...byFolder!.perItem!]).toEqual(order.map((item) => byIdx!.perItem![item]));

  const [logits] = await scorer.logits(model.weights, [{ image: pngs[0]! }]);
  const scaled = await scorer.logits(model.weights, [{ image: { height, width, channels: 1, data: images[0]! } }]);
  expect(scaled).toEqual([logits]);
  const fisher = await scorer.fisher(model.weights, "t", "idx", { items: 4 });
  const all = [...fisher.tensors.values()].flatMap((values) => [...values]);
  expect(fisher.items).toBe(4);
  expect(all.every((value) => value >= 0) && all.some((value) => value > 0)).toBe(true);
});

test("a broken image is one error with its path", async () => {
  const { config, weights } = await readModelDirectory(goldenPath("vit"));
  const task = parse("splits: {test: img}", { "img/a/1.png": pngs[0]!, "img/b/2.png": pngs[1]!.subarray(0, 50) });
  const tasks = new Map([["t", task]]);
  await using scorer = await createScorer({ config, preprocessor: processor, tasks, threads: 1 });
  await expect(scorer.score(weights, "t", "test")).rejects.toThrow(/^img\/b\/2.png: cannot be read as a JPEG/);
});

test("a task of texts on a model of images, more labels than it has, and a model without its image processor, are refused", async () => {
  const { config } = await readModelDirectory(goldenPath("vit"));
  const open = (yaml: string, preprocessor: unknown, files: Record<string, Uint8Array>) =>
    createScorer({
      ...{ config, preprocessor, threads: 1 },
      tasks: parseTasks([{ path: "t.yaml", yaml, files: new Map(Object.entries(files)) }]),
    });
  const texts = { "t.jsonl": jsonLines({ text: "x", label: "a" }) };
  const ofTexts = "name: t\nkind: classification\nlabels: [a, b, c]\nsplits: {test: t.jsonl}\n";
  await expect(open(ofTexts, processor, texts)).rejects.toThrow(
    "task t: ViTForImageClassification has no head that classifies texts: it takes images: `kind: image_classification`",
  );
  const ofImages = `${header}label_offset: 1\nsplits: {test: img}\n`;
  await expect(open(ofImages, processor, { "img/a/1.png": pngs[0]! })).rejects.toThrow(
    "task t: its labels are logits 1 to 3, but config.json's id2label has 3",
  );
  await expect(open(ofImages, undefined, { "img/a/1.png": pngs[0]! })).rejects.toThrow(
    "preprocessor_config.json: is missing, and images cannot be read without it (an image processor's save_pretrained writes it)",
  );
});

test.each([
  [
    "splits: {test: img}",
    { "img/a/1.png": 0, "img/dogs/2.png": 1, "img/3.png": 2 },
    ["img: dogs is named as no label", "img: has images that lie in no label's folder"],
  ],
  ["splits: {test: imgs}", { "img/a/1.png": 0 }, ["t.yaml: split test: imgs is missing"]],
  ["splits: {test: ../img}", {}, ["t.yaml:4: splits.test: must be a path inside the task's folder, without .."]],
  ["splits: {test: {images: x}}", {}, [expect.stringMatching(/^t.yaml:4: splits.test.labels: /)]],
])("%s of a folder that does not fit is refused with every reason", (splits, files, problems) => {
  const bytes = Object.fromEntries(Object.entries(files).map(([name, item]) => [name, pngs[item as number]!]));
  expect(() => parse(splits, bytes)).toThrow(expect.objectContaining({ problems }));
});

test("a table that names an image that is not there is refused at its line", () => {
  const table = { "t.jsonl": jsonLines({ image: "a/1.png", label: "a" }, { image: "../t.yaml", label: "a" }) };
  const problem = (line: number, name: string): string =>
    `t.jsonl:${line}: image: there is no ${name} in the folder that the task names as \`images\``;
  const problems = [problem(1, "a/1.png"), problem(2, "../t.yaml")];
  expect(() => parse("splits: {test: t.jsonl}", table)).toThrow(expect.objectContaining({ problems }));
});

test("IDX files that are none, are cut, or do not fit are refused", () => {
  const { "x.gz": packed, y } = idxFiles();
  const splits = "splits: {test: {images: x.gz, labels: y}}";
  const problemsOf = (files: Readonly<Record<string, Uint8Array | undefined>>): unknown => {
    try {
      return parse(splits, { "x.gz": packed!, y: y!, ...files } as Record<string, Uint8Array>);
    } catch (error) {
      return (error as { problems: unknown }).problems;
    }
  };
  expect(problemsOf({ y: Uint8Array.of(1, 2, 3) })).toEqual(["y: is no IDX file of bytes with 1 dimension"]);
  expect(problemsOf({ y: y!.subarray(0, -1) })).toEqual(["y: has 11 values, but its header says 12"]);
  expect(problemsOf({ y: idx(Uint8Array.of(0, 1), 2) })).toEqual(["y: has 2 labels for the 12 images of x.gz"]);
  const beyond = idx(
    Uint8Array.from(labels, (label, item) => (item === 7 ? 9 : label)),
    items,
  );
  expect(problemsOf({ y: beyond })).toEqual(["y: item 7 has label 9, but the task has 3"]);
  expect(problemsOf({ "x.gz": packed!.subarray(0, 40) })).toEqual([expect.stringMatching(/^x.gz: cannot be unpacked/)]);
});
