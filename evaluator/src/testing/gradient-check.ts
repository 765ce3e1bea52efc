/**
 * Compares the gradients of a small graph with finite differences of its outputs: summed over items, kept apart by items, squared, and as several
 * derivatives of one item. What is perturbed reaches the operator both through values of items and through parameters alone.
 */

import ort from "onnxruntime-node";
import { expect } from "vitest";
import { GraphBuilder, onnxBytes, type Value } from "../graph/builder.ts";
import { differentiate } from "../graph/gradient/differentiate.ts";
import { inferFacts } from "../graph/gradient/facts.ts";
import type { Reduction } from "../graph/gradient/gradient.ts";
import { uniform } from "./fixtures.ts";

export interface Case {
  /** Appends what is differentiated to `x` `[items, ...shape]`, or `[...shape]`: axes are to be counted from the last. */
  readonly build: (g: GraphBuilder, x: Value, weights: readonly Value[]) => Value;
  /** Sizes of `x` without the items. */
  readonly shape: readonly number[];
  /** Sizes of further parameters. */
  readonly weights?: readonly (readonly number[])[];
  /** Bounds of all values; -1.5 to 1.5 by default. */
  readonly from?: number;
  readonly to?: number;
  /** Whether the function has kinks: the differences are then taken over shorter distances. */
  readonly kinks?: boolean;
  readonly seed?: number;
  /** Whether `x` is a value of items, a parameter, or is tried as both. */
  readonly through?: "items" | "parameters" | "both";
}

const items = 3;

export async function checkGradients(test: Case): Promise<void> {
  const { through = "both" } = test;
  if (through !== "parameters") await checkThrough(test, true);
  if (through !== "items") await checkThrough(test, false);
}

async function checkThrough(test: Case, hasItems: boolean): Promise<void> {
  const random = uniform(test.seed ?? 1);
  const { from = -1.5, to = 1.5 } = test;
  const draw = (dims: readonly number[], share = 1): ort.Tensor => {
    const size = dims.reduce((a, b) => a * b, 1);
    return new ort.Tensor(
      "float32",
      Float32Array.from({ length: size }, () => share * (from + (to - from) * random())),
      dims,
    );
  };
  const model = await build(test, hasItems);
  // What is added to stay within the bounds has half of each.
  const share = hasItems ? 0.5 : 1;
  const parameters = Object.fromEntries(
    [...model.graph.weights].map(([name, dims]) => [name, draw(dims, name === "p" ? share : 1)]),
  );
  const data = draw([items, ...model.dataDims], share);
  const first = new ort.Tensor("float32", (data.data as Float32Array).slice(0, data.size / items), [
    1,
    ...model.dataDims,
  ]);
  await using forward = await open(model, []);
  for (const [fed, reductions, derivatives] of [
    [data, ["sum", "items", "squares"], items],
    [first, ["items", "squares"], 4],
  ] as const) {
    const feeds = { data: fed, ...parameters };
    const { y } = await forward.session.run(feeds);
    const cotangent = draw([derivatives, ...y!.dims.slice(1)]);
    await using backward = await open(await build(test, hasItems), reductions);
    const results = await backward.session.run({ ...feeds, cotangent });
    for (const [name, parameter] of Object.entries(parameters)) {
      const expected = await differences(test.kinks ? 0.002 : 0.04, parameter, async (moved) => {
        const at = await forward.session.run({ ...feeds, [name]: moved });
        return weighted(at["y"]!, cotangent);
      });
      for (const reduction of reductions)
        expectClose(results[`${reduction} ${name}`]!, reduce(expected, reduction), reduction + name, test.kinks);
    }
  }
}

interface Model {
  readonly graph: GraphBuilder;
  readonly output: Value;
  /** Sizes of the input `data` without the items. */
  readonly dataDims: readonly number[];
}

async function build({ build: append, shape, weights = [] }: Case, hasItems: boolean): Promise<Model> {
  const graph = new GraphBuilder("checked");
  const p = graph.weight("p", shape);
  const others = weights.map((dims, i) => graph.weight(`w${i}`, dims));
  if (hasItems) {
    const x = graph.op("Add", [graph.input("data", "float32", ["items", ...shape]), p]);
    return { graph, output: append(graph, x, others), dataDims: shape };
  }
  const made = append(graph, p, others);
  const dataDims = (await inferFacts(graph)).dims(made).map(() => 1);
  const data = graph.input("data", "float32", ["items", ...dataDims]);
  return { graph, output: graph.op("Mul", [data, made]), dataDims };
}

interface Opened extends AsyncDisposable {
  readonly session: ort.InferenceSession;
}

/** The graph with its output as `y`, or with the gradients of all parameters instead. */
async function open({ graph, output }: Model, reductions: readonly Reduction[]): Promise<Opened> {
  const dims = (await inferFacts(graph)).dims(output).map((dim, axis) => (axis === 0 ? "any" : (dim ?? `dim${axis}`)));
  if (reductions.length === 0) graph.output("y", output, "float32", dims);
  else {
    const cotangent = graph.input("cotangent", "float32", dims);
    for (const reduction of reductions) {
      const found = await differentiate(graph, { output, cotangent, wrt: graph.weights.keys(), reduction });
      for (const [name, value] of found) {
        const leading = reduction === "items" ? ["any"] : [];
        graph.output(`${reduction} ${name}`, value, "float32", [...leading, ...graph.weights.get(name)!]);
      }
    }
  }
  const session = await ort.InferenceSession.create(onnxBytes(graph.build()), {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  return { session, [Symbol.asyncDispose]: () => session.release() };
}

/** Sum of what each derivative weighs, in float64; one item serves all derivatives. */
function weighted(y: ort.Tensor, cotangent: ort.Tensor): number[] {
  const [values, weights] = [y.data as Float32Array, cotangent.data as Float32Array];
  const size = weights.length / cotangent.dims[0]!;
  return Array.from({ length: cotangent.dims[0]! }, (_, k) => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += weights[k * size + i]! * values[(k * size + i) % values.length]!;
    return sum;
  });
}

/** Derivatives by each element of a parameter from central differences of fourth order: `[derivatives][elements]`. */
async function differences(
  step: number,
  parameter: ort.Tensor,
  f: (moved: ort.Tensor) => Promise<number[]>,
): Promise<number[][]> {
  const columns: number[][] = [];
  for (let element = 0; element < parameter.size; element++) {
    const at = async (distance: number): Promise<number[]> => {
      const data = Float32Array.from(parameter.data as Float32Array);
      data[element]! += distance;
      return f(new ort.Tensor("float32", data, parameter.dims));
    };
    const [far, near, nearer, farther] = [await at(-2 * step), await at(-step), await at(step), await at(2 * step)];
    columns.push(far.map((value, k) => (8 * (nearer[k]! - near[k]!) - (farther[k]! - value)) / (12 * step)));
  }
  return columns[0]!.map((_, k) => columns.map((column) => column[k]!));
}

function reduce(rows: readonly (readonly number[])[], reduction: Reduction): readonly number[] {
  if (reduction === "items") return rows.flat();
  const term = (value: number): number => (reduction === "sum" ? value : value * value);
  return rows[0]!.map((_, element) => rows.reduce((sum, row) => sum + term(row[element]!), 0));
}

function expectClose(found: ort.Tensor, expected: readonly number[], what: string, kinks = false): void {
  const values = found.data as Float32Array;
  expect(values.length, what).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(values[i]! - value) / largest, `${what}[${i}]: ${values[i]} is not ${value}`).toBeLessThan(
      kinks ? 3e-3 : 3e-4,
    );
  }
}
