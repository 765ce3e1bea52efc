// Exports of the golden checkpoints by PyTorch, without their weights; tests/golden/onnx/make.py made them.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AttributeProtoSchema, type ModelProto, ModelProtoSchema, NodeProtoSchema } from "onnx-buf";
import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../../model-directory.ts";
import { createScorer } from "../../scorer.ts";
import { float32, int32, programOf, type Tensors } from "../../session/program.ts";
import { createSession } from "../../session/session.ts";
import { parseTasks } from "../../tasks/task.ts";
import { goldenPath, jsonLines, wordPiece } from "../../testing/fixtures.ts";
import type { Weights } from "../../weights.ts";
import { inputNames, logitsName } from "../families/family.ts";
import { logitsHead } from "../heads.ts";
import type { TensorShapes } from "./checks.ts";
import { importModel } from "./import.ts";

interface Golden {
  readonly inputs?: { readonly input_ids: number[][]; readonly attention_mask: number[][] };
  readonly pixel_values?: number[][][][];
  readonly logits: number[][];
}

const json = async <T>(path: string): Promise<T> => JSON.parse(await readFile(goldenPath(path), "utf8")) as T;
const bytesOf = (file: string): Promise<Uint8Array> =>
  readFile(fileURLToPath(new URL(`../../../../tests/golden/onnx/${file}`, import.meta.url)));
const shapesOf = (weights: Weights): TensorShapes =>
  new Map([...weights.names()].map((name) => [name, weights.get(name)!.shape]));

function feedsOf({ inputs, pixel_values: pixels }: Golden): Tensors {
  if (inputs === undefined) {
    const dims = [pixels!.length, pixels![0]!.length, pixels![0]![0]!.length, pixels![0]![0]![0]!.length];
    return { [inputNames.pixels]: float32(dims, Float32Array.from(pixels!.flat(3))) };
  }
  const dims = [inputs.input_ids.length, inputs.input_ids[0]!.length];
  return {
    [inputNames.ids]: int32(dims, Int32Array.from(inputs.input_ids.flat())),
    [inputNames.mask]: float32(dims, Float32Array.from(inputs.attention_mask.flat())),
  };
}

const config = await json("bert/config.json");
const shapes = shapesOf(await loadWeightsFromCheckpoint(goldenPath("bert")));

test.each([
  ["bert.onnx", "bert", { kind: "sequence-classification", labels: 3, maxTokens: 40, vocabularySize: 120 }],
  ["bert-opset17.onnx", "bert", { kind: "sequence-classification", labels: 3 }],
  ["clip.onnx", "clip", { kind: "image-classification", labels: 3, image: { channels: 3, height: 8, width: 8 } }],
])("%s gives transformers' logits with the checkpoint's weights", async (file, folder, what) => {
  const golden = await json<Golden>(`${folder}/expected.json`);
  const weights = await loadWeightsFromCheckpoint(goldenPath(folder));
  const config = await json(`${folder}/config.json`);
  const model = importModel({ path: file, bytes: await bytesOf(file) }, config, shapesOf(weights));
  expect(model).toMatchObject({ ...what, itemsApart: false });
  const graph = logitsHead(model);
  await using session = createSession({ weights: graph.weights, threads: 1 });
  const program = await session.open(programOf(graph));
  using loaded = await session.load(weights);
  const [outputs] = await session.run(loaded, program, [feedsOf(golden)]);
  const { data } = outputs![logitsName]!;
  const differences = golden.logits.flat().map((value, i) => Math.abs(value - data[i]!));
  expect(Math.max(...differences)).toBeLessThan(1e-5);
});

test.each(["bert.onnx", "bert-opset17.onnx"])(
  "%s: scores and Fisher information are those of the family's graph",
  async (file) => {
    const weights = await loadWeightsFromCheckpoint(goldenPath("bert"));
    const yaml = "name: t\nkind: classification\nlabels: [a, b, c]\nmax_tokens: 8\nsplits: {test: t.jsonl}\n";
    const rows = ["good", "bad bad", "good bad good", "bad"].map((text, i) => ({ text, label: "abc"[i % 3] }));
    const tasks = parseTasks([{ path: "t.yaml", yaml, files: new Map([["t.jsonl", jsonLines(...rows)]]) }]);
    const options = { config, tasks, tokenizer: wordPiece(["good", "bad"]), threads: 1 };
    const own = { path: file, bytes: await bytesOf(file), tensors: shapes };
    await using ours = await createScorer(options);
    await using theirs = await createScorer({ ...options, graph: own });
    const [expected, score] = [await ours.score(weights, "t", "test"), await theirs.score(weights, "t", "test")];
    expect(score).toMatchObject({ items: 4, score: expected.score });
    expect(score.loss).toBeCloseTo(expected.loss, 5);
    const [fisher, found] = [await ours.fisher(weights, "t", "test"), await theirs.fisher(weights, "t", "test")];
    for (const [name, values] of fisher.tensors) {
      const largest = Math.max(...values);
      const differences = values.map((value, i) => Math.abs(value - found.tensors.get(name)![i]!));
      expect(Math.max(...differences), name).toBeLessThanOrEqual(1e-4 * largest + 1e-12);
    }
  },
);

const problemsOf = (bytes: Uint8Array, tensors: TensorShapes = shapes): readonly string[] => {
  try {
    importModel({ path: "m.onnx", bytes }, config, tensors);
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
  return [];
};

/** The file after a change. */
async function changed(change: (model: ModelProto) => void): Promise<Uint8Array> {
  const model = fromBinary(ModelProtoSchema, await bytesOf("bert.onnx"));
  change(model);
  return toBinary(ModelProtoSchema, model);
}

test("weights that were folded into others are refused with how to export them", async () => {
  const problems = problemsOf(await bytesOf("bert-folded.onnx"));
  expect(problems).toHaveLength(12);
  expect(problems[0]).toMatch(
    /^m.onnx: initialiser onnx::MatMul_\d+ \[32,32\]: is no tensor of the checkpoint, but could be made of one that the graph does not name, such as bert.encoder.layer.\d.+: export it without folding constants: torch.onnx.export/,
  );
});

test("the weights of another checkpoint are refused", async () => {
  const bytes = await bytesOf("bert.onnx");
  expect(problemsOf(bytes, new Map([["x.weight", [7, 7]]]))).toEqual([
    expect.stringMatching(
      /^m.onnx: none of its initialisers \(bert.embeddings.+, ...\) has the name of a tensor of the checkpoint: export /,
    ),
  ]);
  const transposed = new Map(shapes).set("classifier.weight", [32, 3]);
  expect(problemsOf(bytes, transposed)[0]).toMatch(
    /^m.onnx: initialiser classifier.weight: has shape \[3,32\], and the checkpoint's tensor \[32,3\]/,
  );
});

test("what a file may not have is refused, all at once", async () => {
  const problems = problemsOf(
    await changed((model) => {
      const graph = model.graph!;
      graph.node.push(create(NodeProtoSchema, { opType: "Run", domain: "evil.ops", input: [], output: ["a"] }));
      const branch = create(AttributeProtoSchema, { name: "then_branch" });
      graph.node.push(create(NodeProtoSchema, { opType: "If", input: ["a"], output: ["b"], attribute: [branch] }));
      model.opsetImport[0]!.version = 99n;
    }),
  );
  expect(problems).toEqual([
    "m.onnx: has operators of opset 99: export it with one from 13 to 23",
    "m.onnx: has operators of evil.ops, which onnxruntime does not have",
    "m.onnx: has the operator If: export a graph without control flow",
  ]);
});

test("inputs that nothing can stand for, and axes that are fixed, are refused", async () => {
  const other = await changed(({ graph }) => {
    graph!.input[0]!.name = "embeddings";
  });
  expect(problemsOf(other)).toEqual([expect.stringMatching(/^m.onnx: input embeddings: is none of input_ids, /)]);
  const fixed = await changed(({ graph }) => {
    const { value } = graph!.input[0]!.type!;
    if (value.case === "tensorType") value.value.shape!.dim[0]!.value = { case: "dimValue", value: 1n };
  });
  expect(problemsOf(fixed)).toEqual([
    "m.onnx: input input_ids: its items are fixed to 1: export it with dynamic axes (dynamic_shapes, or dynamic_axes)",
  ]);
});

test("bytes that are no ONNX file, and an empty one, are refused", () => {
  expect(problemsOf(new Uint8Array(0))).toEqual(["m.onnx: is no ONNX file: it has no graph"]);
  expect(problemsOf(Uint8Array.from([255, 255, 255, 255]))).toEqual([
    expect.stringMatching(/^m.onnx: is no ONNX file/),
  ]);
});
