// The random numbers of a merge: uniform, independent between neighbours, models, tensors and seeds, and the same however the
// tensor is cut.
import { expect, test } from "vitest";
import { encodeElements } from "./convert.ts";
import { random, sub } from "./expr.ts";
import { METHODS } from "./methods/index.ts";
import { randomKey, streamWords, uniformAt } from "./random.ts";
import { interpreted, merged, programFor, randomInputs, randomModel } from "./testing/models.ts";

const COUNT = 1 << 16;
const draw = (key: number, stream: number, from = 0): Float64Array => {
  const words = streamWords(key, stream);
  return Float64Array.from({ length: COUNT }, (_, i) => uniformAt(words, from + i));
};
const correlation = (x: Float64Array, y: Float64Array): number =>
  x.reduce((sum, v, i) => sum + (v - 0.5) * (y[i]! - 0.5), 0) / (x.length / 12);
/** Five standard deviations of a mean of COUNT numbers with unit variance: one false alarm in two million. */
const LIMIT = 5 / Math.sqrt(COUNT);

const keys = [
  randomKey(0, "a"),
  randomKey(0, "b"),
  randomKey(1, "a"),
  randomKey(7, "model.layers.0.mlp.up_proj.weight"),
];
const all = keys.flatMap((key) => [0, 1, 2].map((stream) => draw(key, stream)));

test("every stream is uniform: mean, variance, and each of its leading bits", () => {
  for (const x of all) {
    const mean = x.reduce((a, b) => a + b, 0) / COUNT;
    expect(Math.abs(mean - 0.5)).toBeLessThan(LIMIT * Math.sqrt(1 / 12));
    expect(Math.abs(correlation(x, x) - 1)).toBeLessThan(LIMIT);
    for (let bit = 1; bit <= 12; bit++) {
      const ones = x.filter((v) => Math.floor(v * 2 ** bit) % 2).length / COUNT;
      expect(Math.abs(ones - 0.5), `bit ${bit}`).toBeLessThan(LIMIT / 2);
    }
  }
});

test("streams, tensors and seeds do not correlate, nor do neighbours", () => {
  all.forEach((x, i) => {
    for (const y of all.slice(0, i)) expect(Math.abs(correlation(x, y))).toBeLessThan(LIMIT);
    for (const lag of [1, 2, 3, 4, 5, 64, 1024, 4096])
      expect(Math.abs(correlation(x.subarray(lag), x)), `lag ${lag}`).toBeLessThan(2 * LIMIT);
  });
});

test("pairs of neighbours fill the square evenly", () => {
  for (const x of all) {
    const cells = new Float64Array(256);
    for (let i = 0; i < COUNT; i += 2) cells[Math.floor(x[i]! * 16) * 16 + Math.floor(x[i + 1]! * 16)]! += 1;
    const expected = COUNT / 2 / 256;
    const chiSquared = cells.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // 255 degrees of freedom: mean 255, standard deviation 22.6.
    expect(Math.abs(chiSquared - 255)).toBeLessThan(5 * 22.6);
  }
});

test("numbers are known: they are part of what a recipe means", () => {
  expect(randomKey(7, "lm_head.weight")).toMatchInlineSnapshot(`5841717414505214`);
  expect(Array.from(draw(randomKey(7, "lm_head.weight"), 0).slice(0, 3), (x) => x * 2 ** 24)).toMatchInlineSnapshot(`
    [
      14782009,
      16005887,
      14178587,
    ]
  `);
});

test.each(["dare_linear", "dare_ties", "della", "della_linear"])(
  "%s gives the same bytes however the tensor is cut",
  (name) => {
    const program = programFor(METHODS[name]!, 2, "BF16");
    // Ranks are those of rows, which are not cut.
    const [elements, rowElements] = name.startsWith("della") ? [196 * 1024, 1024] : [200_003, 200_003];
    const inputs = randomInputs(program.graph, program.spec.inputDtypes, elements, 5);
    const scalars = {
      "weight[0]": 0.4,
      "weight[1]": 0.7,
      "density[0]": 0.3,
      "density[1]": 0.8,
      "epsilon[0]": 0.15,
      "epsilon[1]": 0.1,
      lambda: 1,
      randomKey: keys[3]!,
    };
    const [whole] = merged(program, [{ inputs, elements, rowElements, scalars }]);
    expect(merged(program, [{ inputs, elements, rowElements, scalars }], 65_536)[0]!.bytes).toEqual(whole!.bytes);
  },
);

test("della ranks rows longer than a block as the interpreter does", () => {
  const program = programFor(METHODS["della"]!, 2, "F32");
  const model = randomModel(program, [70_001], 3);
  const expected = encodeElements(interpreted(program, model, "float32")[0]!, "F32");
  expect(Buffer.compare(merged(program, model)[0]!.bytes, expected)).toBe(0);
});

test("della keeps large magnitudes of a row more often than small ones", () => {
  const program = programFor(METHODS["della_linear"]!, 1, "F32", { rescale: false });
  const inputs = [new Float32Array(4096), Float32Array.from({ length: 4096 }, (_, i) => i + 1)];
  const scalars = { "weight[0]": 1, "density[0]": 0.5, "epsilon[0]": 0.3, lambda: 1, randomKey: keys[0]! };
  const tensor = { inputs: inputs.map((x) => new Uint8Array(x.buffer)), elements: 4096, rowElements: 4096, scalars };
  const kept = new Float32Array(merged(program, [tensor])[0]!.bytes.buffer);
  const share = (from: number, to: number): number =>
    kept.subarray(from, to).filter((x) => x !== 0).length / (to - from);
  // The first quarter is kept with 0.275 on average, the last with 0.725.
  expect(Math.abs(share(0, 1024) - 0.275)).toBeLessThan(5 * Math.sqrt(0.2 / 1024));
  expect(Math.abs(share(3072, 4096) - 0.725)).toBeLessThan(5 * Math.sqrt(0.2 / 1024));
});

test("DARE with 1 / density has the task vector for its mean over seeds", () => {
  const program = programFor(METHODS["dare_linear"]!, 1, "F32", { rescale_by: "inverse_density" });
  const inputs = [new Float32Array(64), Float32Array.from({ length: 64 }, (_, i) => i - 32)].map(
    (x) => new Uint8Array(x.buffer),
  );
  const sum = new Float64Array(64);
  const seeds = 4000;
  for (let seed = 0; seed < seeds; seed++) {
    const scalars = { "weight[0]": 1, "density[0]": 0.25, lambda: 1, randomKey: randomKey(seed, "t") };
    const [out] = merged(program, [{ inputs, elements: 64, scalars }]);
    new Float32Array(out!.bytes.buffer).forEach((x, i) => {
      sum[i]! += x;
    });
  }
  // Of one entry: variance (1 / 0.25 - 1) times its square.
  sum.forEach((total, i) => {
    expect(Math.abs(total / seeds - (i - 32))).toBeLessThanOrEqual(5 * Math.abs(i - 32) * Math.sqrt(3 / seeds));
  });
});

test("a merge of numbers drawn twice from one stream sees the same ones", () => {
  const same = { ...METHODS["linear"]!, build: () => sub(random(3), random(3)) };
  const program = programFor({ ...same, base: "none" }, 1, "F32");
  const inputs = [new Uint8Array(28)];
  const [out] = merged(program, [{ inputs, elements: 7, scalars: { randomKey: 1 } }]);
  expect(out!.bytes).toEqual(new Uint8Array(28));
});
