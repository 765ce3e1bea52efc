// What mergekit 0.1.4 wrote, in float32: reproduced to the bit by methods without sums over tensors, and by the others up to
// the order in which torch and numpy add.
import { expect, test } from "vitest";
import { buildProgram, type GraphSpec, mergeTensors, type Scalars } from "./index.ts";
import { floats, readTensors } from "./testing/golden-mergekit.ts";

type Check = (merged: Uint8Array, wanted: Uint8Array, tensor: string) => void;

const base = readTensors("inputs/base");
const experts = [1, 2, 3].map((i) => readTensors(`inputs/expert${i}`));

const equal: Check = (merged, wanted, tensor) => expect(Buffer.from(merged).equals(wanted), tensor).toBe(true);
/** A quarter of the last digit that mergekit's own results keep from one machine to the next. */
const close: Check = (merged, wanted, tensor) => {
  const values = floats(merged);
  for (const [i, x] of floats(wanted).entries())
    expect(Math.abs(values[i]! - x), `${tensor}[${i}]`).toBeLessThanOrEqual(5e-7 * Math.abs(x) + 1.25e-8);
};

function expectGolden(
  expected: string,
  spec: GraphSpec,
  scalarsFor: (tensor: string) => Scalars,
  check: Check = equal,
): void {
  const inputs = [...(spec.hasBase ? [base] : []), ...experts.slice(0, spec.models)];
  const program = buildProgram({ ...spec, inputDtypes: inputs.map(() => "F32"), outputDtype: "F32" });
  const wanted = readTensors(`expected/${expected}`);
  expect([...wanted.keys()].sort()).toEqual([...base.keys()].sort());
  for (const [tensor, { bytes, rowElements }] of wanted) {
    const tensors = {
      inputs: inputs.map((m) => m.get(tensor)!.bytes),
      rowElements,
      elements: bytes.length / 4,
      scalars: scalarsFor(tensor),
    };
    const [merged] = mergeTensors(program, [tensors]);
    check(merged!.bytes, bytes, tensor);
  }
}

const weights = { "weight[0]": 0.3, "weight[1]": 0.5, "weight[2]": 0.4 };
const densities = { "density[0]": 0.53, "density[1]": 0.4, "density[2]": 0.7 };

test("linear has mergekit's bits", () => {
  expectGolden("linear", { method: "linear", models: 3, hasBase: false, options: {} }, () => weights);
});

test("linear without normalisation has mergekit's bits", () => {
  const options = { normalize: false };
  expectGolden("linear_unnormalized", { method: "linear", models: 3, hasBase: false, options }, () => weights);
});

test("task_arithmetic has mergekit's bits", () => {
  const spec = { method: "task_arithmetic", models: 3, hasBase: true, options: {} };
  expectGolden("task_arithmetic", spec, () => ({ ...weights, lambda: 0.9 }));
});

test("ties has mergekit's bits", () => {
  const spec = { method: "ties", models: 3, hasBase: true, options: {} };
  expectGolden("ties", spec, () => ({ ...weights, ...densities, lambda: 0.9 }));
});

test("ties has mergekit's bits when weights and densities differ from layer to layer", () => {
  const spec = { method: "ties", models: 2, hasBase: true, options: {} };
  // mergekit's gradients: from the first value at the first layer to the last at the last; tensors outside the layers get the first.
  const depth = (tensor: string): number => Number(/layers\.(\d+)\./.exec(tensor)?.[1] ?? 0) / 3;
  expectGolden("ties_gradient_filter", spec, (tensor) => {
    const between = (a: number, b: number): number => (1 - depth(tensor)) * a + depth(tensor) * b;
    return {
      "weight[0]": tensor.includes("mlp") ? between(0.2, 0.8) : 0.4,
      "weight[1]": 0.5,
      "density[0]": 0.5,
      "density[1]": between(0.3, 0.9),
      lambda: 1,
    };
  });
});

const gammas = { "gamma[0]": 0.02, "gamma[1]": 0.02, "gamma[2]": 0.02 };
const others: readonly (readonly [GraphSpec["method"], number, boolean, Scalars, Check])[] = [
  ["breadcrumbs", 3, true, { ...weights, ...densities, ...gammas, lambda: 0.9 }, equal],
  ["breadcrumbs_ties", 3, true, { ...weights, ...densities, ...gammas, lambda: 0.9 }, equal],
  ["nearswap", 1, true, { t: 0.001 }, equal],
  ["ram", 3, true, { epsilon: 1e-5 }, equal],
  ["sce", 3, true, { select_topk: 0.6 }, close],
  ["slerp", 1, true, { t: 0.3 }, close],
  ["nuslerp", 2, true, { "weight[0]": 0.3, "weight[1]": 0.6 }, close],
  ["multislerp", 3, true, { ...weights, eps: 1e-8 }, close],
  ["karcher", 3, false, { max_iter: 10, tol: 1e-5 }, close],
  ["model_stock", 3, true, {}, close],
];
test.for(others)("%s has mergekit's numbers", ([method, models, hasBase, scalars, check]) => {
  expectGolden(method, { method, models, hasBase, options: {} }, () => scalars, check);
});
