// Every folder of tests/golden/transformers whose expected.json has `inputs` is a model of texts, and what Hugging Face transformers makes of them.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../../model-directory.ts";
import { float32, int32, programOf, type TensorData } from "../../session/program.ts";
import { createSession } from "../../session/session.ts";
import { goldenPath } from "../../testing/fixtures.ts";
import { logitsHead } from "../heads.ts";
import { inputNames, logitsName } from "./family.ts";
import { buildModel } from "./index.ts";

type Nested = readonly (number | Nested)[];

interface Golden {
  readonly inputs: Readonly<Record<string, Nested>>;
  readonly logits: Nested;
}

/** Float32 sums in two orders. */
const tolerance = 1e-5;

const readJson = (path: string): unknown => JSON.parse(readFileSync(goldenPath(path), "utf8"));
const readExpected = (folder: string) => readJson(`${folder}/expected.json`) as Partial<Golden>;
const folders = readdirSync(goldenPath("."), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && readExpected(entry.name).inputs !== undefined)
  .map(({ name }) => name);

const numbersOf = (values: Nested): number[] =>
  values.flatMap((value) => (typeof value === "number" ? value : numbersOf(value)));

function dimsOf(values: Nested): number[] {
  const first = values[0];
  return [values.length, ...(typeof first === "object" ? dimsOf(first) : [])];
}

function asTensor(name: string, values: Nested): TensorData {
  const dims = dimsOf(values);
  return name === inputNames.mask
    ? float32(dims, Float32Array.from(numbersOf(values)))
    : int32(dims, Int32Array.from(numbersOf(values)));
}

/** What transformers takes where it is given no types and no mask. */
function withDefaults(inputs: Golden["inputs"]): Golden["inputs"] {
  const all = (value: number): Nested => inputs[inputNames.ids]!.map((row) => (row as Nested).map(() => value));
  return { [inputNames.types]: all(0), [inputNames.mask]: all(1), ...inputs };
}

/** Tokens of an item without its padding. */
function tokensOf(inputs: Golden["inputs"], item: number): number {
  return numbersOf([inputs[inputNames.mask]![item]!]).filter((value) => value === 1).length;
}

/** One item's own inputs, without the padding that the longest one asks for. */
function alone(inputs: Golden["inputs"], item: number): Golden["inputs"] {
  const tokens = tokensOf(inputs, item);
  return Object.fromEntries(
    Object.entries(inputs).map(([name, rows]) => {
      const row = rows[item] as Nested;
      return [name, [name === inputNames.decoderIds ? row : row.slice(0, tokens)]];
    }),
  );
}

/** The logits that count of an item: of its tokens where there are some of each, because padding gives others when there is no mask. */
function countedLogits({ inputs, logits }: Golden, item: number): number[] {
  const row = logits[item] as Nested;
  const ofTokens = typeof row[0] === "object" && inputs[inputNames.decoderIds] === undefined;
  return numbersOf(ofTokens ? row.slice(0, tokensOf(inputs, item)) : row);
}

function largestDifference(actual: ArrayLike<number>, expected: readonly number[]): number {
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!)));
}

test.each(folders)("%s gives transformers' logits, padded in a batch and alone", async (folder) => {
  const config = readJson(`${folder}/config.json`);
  const golden = readExpected(folder) as Golden;
  const weights = await loadWeightsFromCheckpoint(goldenPath(folder));
  const stored = new Set(weights.names());
  const graph = logitsHead(buildModel(config, (name) => stored.has(name)));
  // The names are those of the file, so that the weights of a merged model, which knows no other names, are found.
  expect([...graph.weights.keys()].filter((name) => !stored.has(name))).toEqual([]);
  await using session = createSession({ weights: graph.weights, threads: 1 });
  const program = await session.open(programOf(graph));
  using model = await session.load(weights);
  const inputs = withDefaults(golden.inputs);
  const runs = [inputs, ...golden.logits.map((_, item) => alone(inputs, item))].map((each) =>
    Object.fromEntries(Object.entries(each).map(([name, values]) => [name, asTensor(name, values)])),
  );
  const [batch, ...items] = (await session.run(model, program, runs)).map((outputs) => outputs[logitsName]!);
  expect(batch!.dims).toEqual(dimsOf(golden.logits));
  for (const [item, { data }] of items.entries()) {
    const expected = countedLogits({ ...golden, inputs }, item);
    const padded = batch!.data.subarray((item * batch!.data.length) / items.length);
    expect(largestDifference(padded, expected)).toBeLessThan(tolerance);
    expect(largestDifference(data, expected)).toBeLessThan(tolerance);
    expect(data).toHaveLength(expected.length);
  }
});
