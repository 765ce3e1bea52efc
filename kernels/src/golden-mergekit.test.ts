// What mergekit 0.1.4 wrote, in float32, reproduced to the bit.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { buildProgram, type GraphSpec, mergeTensors, type Scalars } from "./index.ts";

type Tensors = ReadonlyMap<string, Uint8Array>;
const folder = new URL("../../tests/golden/mergekit/", import.meta.url);

function readTensors(directory: string): Tensors {
  const at = new URL(`${directory}/`, folder);
  const tensors = new Map<string, Uint8Array>();
  for (const name of readdirSync(at).filter((n) => n.endsWith(".safetensors"))) {
    const bytes = readFileSync(new URL(name, at));
    const headerBytes = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes)) as Record<
      string,
      { dtype: string; data_offsets: [number, number] }
    >;
    for (const [tensor, { dtype, data_offsets }] of Object.entries(header)) {
      if (tensor === "__metadata__") continue;
      expect(dtype).toBe("F32");
      const [from, to] = data_offsets;
      tensors.set(tensor, bytes.subarray(8 + headerBytes + from, 8 + headerBytes + to));
    }
  }
  return tensors;
}

const base = readTensors("inputs/base");
const experts = [1, 2, 3].map((i) => readTensors(`inputs/expert${i}`));

function expectExact(expected: string, spec: GraphSpec, scalarsFor: (tensor: string) => Scalars): void {
  const inputs = [...(spec.hasBase ? [base] : []), ...experts.slice(0, spec.models)];
  const program = buildProgram({ ...spec, inputDtypes: inputs.map(() => "F32"), outputDtype: "F32" });
  const wanted = readTensors(`expected/${expected}`);
  expect([...wanted.keys()].sort()).toEqual([...base.keys()].sort());
  for (const [tensor, bytes] of wanted) {
    const tensors = {
      inputs: inputs.map((m) => m.get(tensor)!),
      elements: bytes.length / 4,
      scalars: scalarsFor(tensor),
    };
    const [merged] = mergeTensors(program, [tensors]);
    expect(Buffer.from(merged!.bytes).equals(bytes), tensor).toBe(true);
  }
}

const weights = { "weight[0]": 0.3, "weight[1]": 0.5, "weight[2]": 0.4 };
const densities = { "density[0]": 0.53, "density[1]": 0.4, "density[2]": 0.7 };

test("linear has mergekit's bits", () => {
  expectExact("linear", { method: "linear", models: 3, hasBase: false, options: {} }, () => weights);
});

test("linear without normalisation has mergekit's bits", () => {
  const options = { normalize: false };
  expectExact("linear_unnormalized", { method: "linear", models: 3, hasBase: false, options }, () => weights);
});

test("task_arithmetic has mergekit's bits", () => {
  const spec = { method: "task_arithmetic", models: 3, hasBase: true, options: {} };
  expectExact("task_arithmetic", spec, () => ({ ...weights, lambda: 0.9 }));
});

test("ties has mergekit's bits", () => {
  const spec = { method: "ties", models: 3, hasBase: true, options: {} };
  expectExact("ties", spec, () => ({ ...weights, ...densities, lambda: 0.9 }));
});

test("ties has mergekit's bits when weights and densities differ from layer to layer", () => {
  const spec = { method: "ties", models: 2, hasBase: true, options: {} };
  // mergekit's gradients: from the first value at the first layer to the last at the last; tensors outside the layers get the first.
  const depth = (tensor: string): number => Number(/layers\.(\d+)\./.exec(tensor)?.[1] ?? 0) / 3;
  expectExact("ties_gradient_filter", spec, (tensor) => {
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
