// The published functions' numbers: the interpreter in float64 to 1e-9, kernels to float32.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { buildGraph } from "./graph.ts";
import {
  buildProgram,
  decodeElements,
  encodeElements,
  type GraphSpec,
  interpret,
  mergeTensors,
  type Scalars,
} from "./index.ts";

type Tensors = Record<string, number[] | number[][]>;
interface Golden {
  readonly inputs: { readonly order: string[]; readonly base: Tensors; readonly task_vectors: Tensors[] };
  readonly ties_official: {
    readonly byK: Record<
      string,
      { readonly merged: Record<"mean" | "sum" | "max", number[]>; readonly threshold: number[] }
    >;
  };
  readonly ties_mergekit: { readonly merged_tv: Record<string, Tensors> };
  readonly fisher: {
    readonly F: Tensors[];
    readonly l2norms: number[];
    readonly coef: number[];
    readonly normalized_favor_target: Tensors;
    readonly normalized_no_favor: Tensors;
    readonly raw_no_favor: Tensors;
  };
  readonly df_merge: {
    readonly lam: number[];
    readonly theta: Tensors;
    readonly uniform_fisher_equals_task_arithmetic: Tensors;
  };
}

const file = new URL("../../tests/golden/methods/golden_vectors.json", import.meta.url);
const golden = JSON.parse(readFileSync(file, "utf8")) as Golden;
const { order, base, task_vectors: taus } = golden.inputs;
const flat = (tensors: Tensors): number[][] => order.map((name) => tensors[name]!.flat());
const bases = flat(base);
const models = taus.map((tau) => flat(tau).map((t, i) => t.map((x, j) => x + bases[i]![j]!)));
const plus = (deltas: readonly number[][]): number[][] => deltas.map((d, i) => d.map((x, j) => x + bases[i]![j]!));
/** Cuts a vector over the whole model into its tensors. */
const cut = (vector: readonly number[]): number[][] => {
  const rest = [...vector];
  return bases.map((b) => rest.splice(0, b.length));
};
const perModel = (name: string, values: readonly number[]): Scalars =>
  Object.fromEntries(values.map((v, i) => [`${name}[${i}]`, v]));

interface Case {
  readonly name: string;
  readonly method: string;
  readonly options?: GraphSpec["options"];
  readonly hasBase: boolean;
  readonly fisher?: readonly number[][][];
  readonly scalars: Scalars;
  readonly expected: readonly number[][];
}

const fishers = golden.fisher.F.map(flat);
const coefficients = perModel("weight", golden.fisher.coef);
const scales = perModel("weight", golden.df_merge.lam);
const ones = fishers.map((f) => f.map((t) => t.map(() => 1)));

const cases: Case[] = [
  ...Object.entries(golden.ties_official.byK).flatMap(([percent, { merged }]) =>
    (["mean", "sum", "max"] as const).map(
      (merge): Case => ({
        name: `official TIES keeping ${percent} percent, ${merge}`,
        method: "ties_official",
        options: { merge },
        hasBase: true,
        scalars: {
          lambda: 1,
          ...perModel(
            "density",
            taus.map(() => Number(percent) / 100),
          ),
        },
        expected: plus(cut(merged[merge])),
      }),
    ),
  ),
  ...Object.entries(golden.ties_mergekit.merged_tv).map(
    ([density, merged]): Case => ({
      name: `mergekit TIES at density ${density}`,
      method: "ties",
      hasBase: true,
      scalars: {
        lambda: 1,
        ...perModel("weight", [1, 1, 1]),
        ...perModel(
          "density",
          taus.map(() => Number(density)),
        ),
      },
      expected: plus(flat(merged)),
    }),
  ),
  ...(
    [
      ["normalized_favor_target", "l2", true],
      ["normalized_no_favor", "l2", false],
      ["raw_no_favor", "none", false],
    ] as const
  ).map(
    ([key, normalize, favor_target]): Case => ({
      name: `Fisher merging, ${key}`,
      method: "fisher",
      options: { normalize, favor_target },
      hasBase: false,
      fisher: fishers,
      scalars: { floor: 1e-6, ...coefficients },
      expected: flat(golden.fisher[key]),
    }),
  ),
  {
    name: "DF-Merge with given Fisher information",
    method: "df_merge",
    hasBase: true,
    fisher: fishers,
    scalars: { epsilon: 1e-12, ...scales },
    expected: flat(golden.df_merge.theta),
  },
  {
    name: "DF-Merge with uniform Fisher information, which is task arithmetic",
    method: "df_merge",
    hasBase: true,
    fisher: ones,
    scalars: { epsilon: 1e-12, ...scales },
    expected: flat(golden.df_merge.uniform_fisher_equals_task_arithmetic),
  },
];

const specOf = (c: Case): GraphSpec => ({ method: c.method, models: 3, hasBase: c.hasBase, options: c.options ?? {} });
const inputsOf = (c: Case, tensor: number): number[][] => [
  ...(c.hasBase ? [bases[tensor]!] : []),
  ...models.map((m) => m[tensor]!),
  ...(c.fisher ?? []).map((f) => f[tensor]!),
];

function expectClose(actual: ArrayLike<number>, expected: readonly number[], relative: number, absolute: number): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((want, i) => {
    expect(Math.abs(actual[i]! - want), `element ${i}: ${actual[i]} for ${want}`).toBeLessThanOrEqual(
      relative * Math.abs(want) + absolute,
    );
  });
}

describe.each(cases)("$name", (c) => {
  test("is what the interpreter computes in float64", () => {
    const tensors = order.map((_, t) => ({ inputs: inputsOf(c, t), scalars: c.scalars }));
    const merged = interpret(buildGraph(specOf(c)), tensors, "float64");
    merged.forEach((values, t) => {
      expectClose(values, c.expected[t]!, 1e-9, 1e-15);
    });
  });

  test("is what a kernel computes in float32", () => {
    const reads = buildGraph(specOf(c)).inputs.length;
    const program = buildProgram({ ...specOf(c), inputDtypes: Array(reads).fill("F32"), outputDtype: "F32" });
    const tensors = order.map((_, t) => ({
      inputs: inputsOf(c, t).map((x) => encodeElements(x, "F32")),
      elements: bases[t]!.length,
      scalars: c.scalars,
    }));
    mergeTensors(program, tensors).forEach(({ bytes, flags }, t) => {
      expect(flags).toBe(0);
      expectClose(decodeElements(bytes, "F32"), c.expected[t]!, 1e-6, 1e-7);
    });
  });
});

test("official TIES finds the reference's thresholds, and l2 Fisher its norms, over the whole model", () => {
  const run = (c: Case): Scalars => {
    const reads = buildGraph(specOf(c)).inputs.length;
    const program = buildProgram({ ...specOf(c), inputDtypes: Array(reads).fill("F32"), outputDtype: "F32" });
    const tensors = order.map((_, t) => ({
      inputs: inputsOf(c, t).map((x) => encodeElements(x, "F32")),
      elements: bases[t]!.length,
      scalars: c.scalars,
    }));
    return mergeTensors(program, tensors)[0]!.scalars;
  };
  const statistics = (scalars: Scalars): number[] =>
    Object.entries(scalars).flatMap(([name, value]) => (name.startsWith("statistic") ? [value] : []));
  for (const [percent, { threshold }] of Object.entries(golden.ties_official.byK)) {
    const found = statistics(run(cases.find((c) => c.name.includes(`keeping ${percent} percent`))!));
    expect(found.slice(0, 3)).toEqual(threshold);
  }
  const squares = statistics(run(cases.find((c) => c.name.includes("normalized_favor"))!));
  expectClose(squares.map(Math.sqrt), golden.fisher.l2norms, 1e-12, 0);
});
