import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { int } from "../graph/attributes.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { logitsName } from "../graph/families/family.ts";
import { buildModel } from "../graph/families/index.ts";
import { logitsHead } from "../graph/heads.ts";
import { loadWeightsFromCheckpoint } from "../model-directory.ts";
import { scoreClassification } from "../score.ts";
import {
  asWeights,
  bertConfig,
  goldenDirectory,
  randomEncodings,
  randomWeights,
  readGolden,
  uniform,
} from "../testing/fixtures.ts";
import { referenceLogits } from "../testing/reference-bert.ts";
import { type Encoding, feedsOf, makeBatches, scatterRows } from "./batches.ts";
import { float32, programOf } from "./program.ts";
import { type Chain, createSession, type LoadedModel, type OpenedProgram, type Session } from "./session.ts";

interface Golden {
  readonly inputs: { readonly input_ids: number[][]; readonly attention_mask: number[][] };
  readonly logits: number[][];
  readonly labels: number[];
  readonly losses_per_example: number[];
}

/** A session with the program that gives logits. */
type Encoder = Session & { readonly logits: OpenedProgram };

async function createEncoder({ config, threads }: { config: unknown; threads: number }): Promise<Encoder> {
  const graph = logitsHead(buildModel(config));
  const session = createSession({ weights: graph.weights, threads });
  return Object.assign(session, { logits: await session.open(programOf(graph)) });
}

async function logitsOf(
  session: Encoder,
  model: LoadedModel,
  encodings: readonly Encoding[],
  items: number,
  tokens = 4096,
): Promise<Float32Array[]> {
  const batches = makeBatches(encodings, { items, tokens });
  const outputs = await session.run(model, session.logits, batches.map(feedsOf));
  return scatterRows(
    batches,
    outputs.map((output) => output[logitsName]!),
  );
}

function largestDifference(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  return Math.max(...a.flatMap((row, r) => Array.from(row, (v, i) => Math.abs(v - b[r]![i]!))));
}

test("a BERT classifier gives transformers' logits and losses, padding included", async () => {
  const golden = await readGolden<Golden>("expected.json");
  await using session = await createEncoder({ config: await readGolden("config.json"), threads: 1 });
  using model = await session.load(await loadWeightsFromCheckpoint(goldenDirectory));
  const { input_ids: ids, attention_mask: mask } = golden.inputs;
  const encodings = ids.map((row, i) => {
    const kept = row.filter((_, t) => mask[i]![t] === 1);
    return { ids: kept, types: kept.map(() => 0) };
  });
  for (const items of [1, 3]) {
    const logits = await logitsOf(session, model, encodings, items);
    expect(largestDifference(logits, golden.logits)).toBeLessThan(1e-6);
    const losses = logits.map((row, i) => {
      const labelled = [{ logits: row, label: golden.labels[i]! }];
      return scoreClassification(labelled, { offset: 0, labels: 3 }, String).loss;
    });
    expect(largestDifference([losses], [golden.losses_per_example])).toBeLessThan(1e-6);
  }
});

test.each(["gelu", "gelu_new", "relu"])(
  "with %s it agrees with a float64 forward pass, two-part inputs included",
  async (activation) => {
    const config = bertConfig({ hidden: 24, layers: 3, heads: 3, vocabulary: 50, labels: 5, activation });
    const weights = randomWeights(config, 7);
    const encodings = randomEncodings(uniform(11), [9, 2, 64, 5, 17], 50);
    await using session = await createEncoder({ config, threads: 1 });
    using model = await session.load(asWeights(weights));
    const expected = encodings.map((encoding) => referenceLogits(config, weights, encoding));
    expect(largestDifference(await logitsOf(session, model, encodings, 3), expected)).toBeLessThan(1e-5);
  },
);

test("logits do not depend on the order of the items, and on the batch size by no more than rounding", async () => {
  const config = bertConfig({ hidden: 16, layers: 2, heads: 2, vocabulary: 40, labels: 3 });
  await using session = await createEncoder({ config, threads: 2 });
  using model = await session.load(asWeights(randomWeights(config, 3)));
  const lengths = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 40 });
  const property = fc.asyncProperty(lengths, fc.nat(), fc.integer({ min: 1, max: 50 }), async (sizes, seed, items) => {
    const random = uniform(seed);
    const encodings = randomEncodings(random, sizes, 40);
    const alone = await logitsOf(session, model, encodings, 1);
    const order = encodings.map((_, i) => i).sort(() => random() - 0.5);
    const shuffled = await logitsOf(
      session,
      model,
      order.map((i) => encodings[i]!),
      items,
      256,
    );
    expect(
      largestDifference(
        shuffled,
        order.map((i) => alone[i]!),
      ),
    ).toBeLessThan(1e-5);
  });
  await fc.assert(property, { numRuns: 25 });
});

test("logits are the same bits with one thread and with three, and again on the same session", async () => {
  const config = bertConfig({ hidden: 32, layers: 2, heads: 4, vocabulary: 100, labels: 4 });
  const weights = asWeights(randomWeights(config, 5));
  const random = uniform(2);
  const encodings = randomEncodings(
    random,
    Array.from({ length: 100 }, () => 2 + Math.floor(random() * 30)),
    100,
  );
  const runs: Float32Array[][] = [];
  for (const threads of [1, 3, 3]) {
    await using session = await createEncoder({ config, threads });
    using model = await session.load(weights);
    runs.push(await logitsOf(session, model, encodings, 8), await logitsOf(session, model, encodings, 8));
  }
  for (const run of runs) expect(run).toEqual(runs[0]);
});

test("several weight sets live side by side and give back their bytes", async () => {
  const config = bertConfig({ hidden: 16, layers: 1, heads: 2, vocabulary: 20, labels: 2 });
  const encodings = randomEncodings(uniform(1), [5, 6], 20);
  await using session = await createEncoder({ config, threads: 1 });
  using first = await session.load(asWeights(randomWeights(config, 1)));
  const before = await logitsOf(session, first, encodings, 2);
  const second = await session.load(asWeights(randomWeights(config, 2)));
  expect(await logitsOf(session, second, encodings, 2)).not.toEqual(before);
  expect(await logitsOf(session, first, encodings, 2)).toEqual(before);
  expect(session.heldBytes).toBe(2 * session.weightsBytes);
  second[Symbol.dispose]();
  expect(session.heldBytes).toBe(session.weightsBytes);
});

test("an id outside the vocabulary is refused with onnxruntime's reason, and the session lives on", async () => {
  const config = bertConfig({ hidden: 16, layers: 1, heads: 2, vocabulary: 20, labels: 2 });
  await using session = await createEncoder({ config, threads: 2 });
  using model = await session.load(asWeights(randomWeights(config, 1)));
  const bad = [{ ids: [1, 20], types: [0, 0] }];
  await expect(logitsOf(session, model, bad, 1)).rejects.toThrow(/^onnxruntime: .*out of data bounds/s);
  expect(await logitsOf(session, model, [{ ids: [1, 19], types: [0, 0] }], 1)).toHaveLength(1);
});

test("an abort ends a run between batches with the signal's reason", async () => {
  const config = bertConfig({ hidden: 64, layers: 2, heads: 2, vocabulary: 20, labels: 2 });
  await using session = await createEncoder({ config, threads: 2 });
  using model = await session.load(asWeights(randomWeights(config, 1)));
  const batches = makeBatches(randomEncodings(uniform(1), new Array(3000).fill(60), 20), { items: 1, tokens: 64 });
  const aborted = new AbortController();
  const run = session.run(model, session.logits, batches.map(feedsOf), aborted.signal);
  setImmediate(() => aborted.abort(new Error("enough")));
  await expect(run).rejects.toThrow("enough");
  expect(await session.run(model, session.logits, batches.slice(0, 2).map(feedsOf))).toHaveLength(2);
});

test("missing, misshapen and integer tensors are all named at once", async () => {
  const config = bertConfig({ hidden: 16, layers: 1, heads: 2, vocabulary: 20, labels: 2 });
  const tensors = randomWeights(config, 1);
  tensors.delete("bert.pooler.dense.bias");
  tensors.set("classifier.weight", { dtype: "F32", shape: [3, 16], bytes: new Uint8Array(192) });
  tensors.set("classifier.bias", { dtype: "I32", shape: [2], bytes: new Uint8Array(8) });
  await using session = await createEncoder({ config, threads: 1 });
  await expect(session.load(asWeights(tensors))).rejects.toMatchObject({
    name: "EvaluatorError",
    problems: [
      "tensor bert.pooler.dense.bias: missing (the model needs it with shape [16])",
      "tensor classifier.weight: shape [3,16] does not match [2,16], which config.json implies",
      "tensor classifier.bias: data type I32 cannot be a model weight (one of f64, f32, f16, bf16, f8_e4m3, f8_e5m2)",
    ],
  });
});

/** `sum = carry + x * w`. */
function accumulator(): ReturnType<typeof programOf> {
  const g = new GraphBuilder("accumulator");
  const scaled = g.op("Mul", [g.input("x", "float32", ["n", 2]), g.weight("w", [2])]);
  const carry = g.input("carry", "float32", [2]);
  const rows = g.op("ReduceSum", [scaled, g.int64s(0)], { keepdims: int(0) });
  g.output("sum", g.op("Add", [carry, rows]), "float32", [2]);
  return programOf(g.build(), [{ input: "carry", output: "sum", shape: [2] }]);
}

test("a fold carries its outputs from run to run, each sequence from zeros, beside other programs of the session", async () => {
  const config = bertConfig({ hidden: 16, layers: 1, heads: 2, vocabulary: 20, labels: 2 });
  const shapes = new Map([...buildModel(config).graph.weights, ["w", [2]]]);
  await using session = createSession({ weights: shapes, threads: 2 });
  const tensors = randomWeights(config, 1).set("w", {
    dtype: "F32",
    shape: [2],
    bytes: new Uint8Array(Float32Array.of(2, -1).buffer),
  });
  using model = await session.load(asWeights(tensors));
  using program = await session.open(accumulator());
  using logits = await session.open(programOf(logitsHead(buildModel(config))));
  const x = (...rows: number[]) => ({ x: float32([rows.length / 2, 2], Float32Array.from(rows)) });
  const sequences = [[x(1, 1), x(2, 3), x(1, 1, 1, 1)], [x(5, 5)], []];
  const sums = await session.fold(model, program, sequences);
  expect(sums.map(({ sum }) => [...sum!.data])).toEqual([
    [10, -6],
    [10, -5],
    [0, 0],
  ]);
  const batches = makeBatches(randomEncodings(uniform(1), [5], 20), { items: 1, tokens: 64 });
  expect(await session.run(model, logits, batches.map(feedsOf))).toHaveLength(1);
});

test("programs may be opened while others run: every answer goes to who asked", async () => {
  const config = bertConfig({ hidden: 16, layers: 1, heads: 2, vocabulary: 20, labels: 2 });
  const shapes = new Map([...buildModel(config).graph.weights, ["w", [2]]]);
  await using session = createSession({ weights: shapes, threads: 1 });
  const bytes = new Uint8Array(Float32Array.of(2, -1).buffer);
  const tensors = randomWeights(config, 1).set("w", { dtype: "F32", shape: [2], bytes });
  using model = await session.load(asWeights(tensors));
  using program = await session.open(accumulator());
  const runs = Array.from({ length: 300 }, () => ({ x: float32([1, 2], Float32Array.of(1, 1)) }));
  const folds = [0, 1, 2].map(() => session.fold(model, program, [runs]));
  // The first one runs by now.
  await nextTurn();
  const opened = [0, 1, 2].map(() => session.open(programOf(logitsHead(buildModel(config)))));
  for (const [sums] of await Promise.all(folds)) expect([...sums!["sum"]!.data]).toEqual([600, -300]);
  for (const each of await Promise.all(opened)) each[Symbol.dispose]();
});

test("a chain hands what is carried from run to run, beside other chains on the same thread, and gives the rest", async () => {
  const g = new GraphBuilder("counter");
  const total = g.op("Add", [g.input("total", "float32", ["n"]), g.input("x", "float32", ["n"])]);
  g.output("sum", total, "float32", ["n"]);
  g.output("negative", g.op("Neg", [total]), "float32", ["n"]);
  await using session = createSession({ weights: new Map(), threads: 2 });
  using program = await session.open(programOf(g.build(), [{ input: "total", output: "sum" }]));
  using model = await session.load(asWeights(new Map()));
  const of = (...values: number[]) => float32([values.length], Float32Array.from(values));
  const work = async (chain: Chain, start: number): Promise<number[]> => {
    const seen: number[] = [];
    for (let i = 0; i < 3; i++) {
      const first = i === 0 ? { total: of(start) } : {};
      const outputs = await chain.run(program, { ...first, x: of(1) });
      expect(Object.keys(outputs)).toEqual(["negative"]);
      seen.push(outputs["negative"]!.data[0]!);
    }
    return seen;
  };
  expect(await session.chain(model, [10, 20, 30], work)).toEqual([
    [-11, -12, -13],
    [-21, -22, -23],
    [-31, -32, -33],
  ]);
  // A new chain knows nothing of the ones before it.
  const unfed = session.chain(model, [0], (chain) => chain.run(program, { x: of(1) }));
  await expect(unfed).rejects.toThrow(/^onnxruntime: .*total/s);
});

test("a graph that onnxruntime refuses is refused with its reason", async () => {
  const g = new GraphBuilder("broken");
  g.output("y", g.op("NoSuchOperator", [g.input("x", "float32", [1])]), "float32", [1]);
  await using session = createSession({ weights: new Map(), threads: 1 });
  await expect(session.open(programOf(g.build()))).rejects.toThrow(/^onnxruntime: .*NoSuchOperator/s);
});
