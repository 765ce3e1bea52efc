// The published functions' numbers (tests/golden/methods): models and expected results, tensor by tensor, and the check of one
// merge against them: the interpreter in float64 to 1e-9, kernels to float32.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { decodeElements, encodeElements } from "../convert.ts";
import type { DTypeName } from "../dtype.ts";
import { interpret } from "../interpreter.ts";
import { mergeTensors } from "../merge.ts";
import type { MergeMethod } from "../method.ts";
import { METHODS } from "../methods/index.ts";
import { scaleValues } from "../scalars.ts";
import type { Scalars } from "../types.ts";
import { programFor } from "./models.ts";

type Values = number | readonly Values[];
type Tensors = Readonly<Record<string, Values>>;
type Vector = readonly number[];
interface Stock {
  readonly merged: Values;
  readonly t: Vector;
}
interface Golden {
  readonly inputs: {
    readonly order: readonly string[];
    readonly shapes: Readonly<Record<string, Vector>>;
    readonly base: Tensors;
    readonly task_vectors: readonly Tensors[];
  };
  readonly ties_official: {
    readonly byK: Record<
      string,
      { readonly merged: Record<"mean" | "sum" | "max", Vector>; readonly threshold: number[] }
    >;
  };
  readonly ties_mergekit: { readonly merged_tv: Record<string, Tensors> };
  readonly fisher: {
    readonly F: readonly Tensors[];
    readonly l2norms: Vector;
    readonly coef: Vector;
    readonly normalized_favor_target: Tensors;
    readonly normalized_no_favor: Tensors;
    readonly raw_no_favor: Tensors;
  };
  readonly df_merge: {
    readonly lam: Vector;
    readonly theta: Tensors;
    readonly uniform_fisher_equals_task_arithmetic: Tensors;
  };
  readonly dare: Record<"mask" | "paper" | "mergekit_l1", Values> & { readonly paper_p: number };
  readonly della: Record<"keep_prob_row" | "keep_prob_layer", Values> & {
    readonly density: number;
    readonly eps: number;
  };
  readonly breadcrumbs_mergekit: Tensors;
  readonly breadcrumbs_official: {
    readonly beta_keep: number;
    readonly gamma_remove: number;
    readonly remove_first: Tensors;
  };
  readonly pcb: {
    readonly ratio: number;
    readonly toplevel: { readonly merged: Vector };
    readonly vision_ES: { readonly merged_lambda1: Vector };
  };
  readonly emr: {
    readonly unified: Tensors;
    readonly masks: Readonly<Record<string, readonly Values[]>>;
    readonly rescalers_official_sum_of_tensor_means: Vector;
    readonly rescalers_paper_global_l1: Vector;
  };
  readonly tall: {
    readonly masks: Readonly<Record<string, readonly Vector[]>>;
    readonly consensus_lambda04: Readonly<Record<string, Vector>>;
    readonly consensus_TA_k2: Vector;
  };
  readonly slerp: Readonly<Record<string, Values>>;
  readonly slerp_colinear: Values;
  readonly karcher: { readonly tol: number; readonly out: Values; readonly max_iter200: Values };
  readonly model_stock: Readonly<Record<string, Stock>>;
  readonly model_stock_filterwise_l0w: { readonly merged: Values };
  readonly sce: { readonly select_topk: number; readonly mergekit: Tensors; readonly fuseai: Tensors };
}

const file = new URL("../../../tests/golden/methods/golden_vectors.json", import.meta.url);
export const golden = JSON.parse(readFileSync(file, "utf8")) as Golden;
const { order, shapes, base, task_vectors: taus } = golden.inputs;

export const flatten = (values: Values): number[] => (typeof values === "number" ? [values] : values.flatMap(flatten));
/** A tensor set as one array for each tensor, in the order of the file. */
export const tensorsOf = (tensors: Tensors): number[][] => order.map((name) => flatten(tensors[name]!));
export const bases: readonly number[][] = tensorsOf(base);
export const models: readonly number[][][] = taus.map((tau) =>
  tensorsOf(tau).map((t, i) => t.map((x, j) => x + bases[i]![j]!)),
);
export const plusBase = (deltas: readonly number[][]): number[][] =>
  deltas.map((d, i) => d.map((x, j) => x + bases[i]![j]!));
/** Cuts a vector over the whole model into its tensors. */
export const cut = (vector: readonly number[]): number[][] => {
  const rest = [...vector];
  return bases.map((b) => rest.splice(0, b.length));
};
export const rowElements: readonly number[] = order.map((name) => shapes[name]!.at(-1)!);
export const tensorIndex = (name: string): number => order.indexOf(name);
export const perModel = (name: string, values: readonly number[]): Scalars =>
  Object.fromEntries(values.map((v, i) => [`${name}[${i}]`, v]));

export interface Merge {
  readonly method: string | MergeMethod;
  readonly options?: Readonly<Record<string, boolean | string>>;
  readonly scalars: Scalars;
  /** The masks of an artefact in place of its vector. */
  readonly masks?: number;
  /** For each input of the merge (base, models, companions) its tensors; by default the base and all models. */
  readonly inputs?: readonly (readonly (readonly number[])[])[];
  readonly rowElements?: readonly number[];
}

export function expectClose(
  actual: ArrayLike<number>,
  expected: readonly number[],
  relative: number,
  absolute: number,
): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((want, i) => {
    expect(Math.abs(actual[i]! - want), `element ${i}: ${actual[i]} for ${want}`).toBeLessThanOrEqual(
      relative * Math.abs(want) + absolute,
    );
  });
}

export interface Run {
  readonly exact: readonly Float64Array[];
  readonly kernels: readonly Float64Array[];
  readonly scalars: Scalars;
  /** The scales of an artefact. */
  readonly scales: readonly number[];
}

/** Merges whole models with the interpreter and with kernels. */
export function run({ method, options = {}, scalars, masks, inputs, rowElements: rows = rowElements }: Merge): Run {
  const found = typeof method === "string" ? METHODS[method]! : method;
  const read = inputs ?? [...(found.base === "none" ? [] : [bases]), ...models];
  const count = (read.length - (found.base === "none" ? 0 : 1)) / (1 + found.companions.length);
  const output = masks === undefined ? "F32" : "U8";
  const reads = Array<DTypeName>(read.length).fill("F32");
  const program = programFor(found, count, reads, options, output, masks === undefined ? {} : { masks });
  const tensors = read[0]!.map((first, t) => ({
    inputs: read.map((input) => input[t]!),
    elements: first.length,
    rowElements: rows[t]!,
    scalars,
  }));
  const encoded = tensors.map((t) => ({ ...t, inputs: t.inputs.map((x) => encodeElements(x, "F32")) }));
  const merged = mergeTensors(program, encoded);
  for (const { flags } of merged) expect(flags).toBe(0);
  return {
    exact: interpret(program.graph, tensors, "float64"),
    kernels: merged.map(({ bytes }) => decodeElements(bytes, output)),
    scalars: merged[0]!.scalars,
    scales: scaleValues(program.graph, merged[0]!.scalars),
  };
}

/** Holds a merge to the golden numbers. */
export function expectGolden(merge: Merge, expected: readonly (readonly number[])[], relative = 1e-9): void {
  const { exact, kernels } = run(merge);
  expected.forEach((want, t) => {
    expectClose(exact[t]!, want, relative, relative / 100);
    expectClose(kernels[t]!, want, 2e-6, 4e-7);
  });
}
