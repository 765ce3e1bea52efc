// The published functions' numbers, method by method; those that leave entries out are in golden-sparse.test.ts.
import { describe, expect, test } from "vitest";
import {
  bases,
  cut,
  expectClose,
  expectGolden,
  flatten,
  golden,
  type Merge,
  models,
  perModel,
  plusBase,
  run,
  tensorIndex,
  tensorsOf,
} from "./testing/golden-methods.ts";

const fishers = golden.fisher.F.map(tensorsOf);
const weights = perModel("weight", [1, 1, 1]);
const everyModel = (name: string, value: number) => perModel(name, [value, value, value]);

describe.each(Object.entries(golden.ties_official.byK))("official TIES keeping %s percent", (percent, expected) => {
  const scalars = { lambda: 1, ...everyModel("density", Number(percent) / 100) };
  test.each(["mean", "sum", "max"] as const)("merges by %s", (merge) => {
    const merging: Merge = { method: "ties_official", options: { merge }, scalars };
    expectGolden(merging, plusBase(cut(expected.merged[merge])));
  });
  test("finds the reference's thresholds over the whole model", () => {
    const found = run({ method: "ties_official", scalars }).scalars;
    expect([0, 1, 2].map((i) => found[`statistic[${i}]`])).toEqual(expected.threshold);
  });
});

test.each(Object.entries(golden.ties_mergekit.merged_tv))("mergekit's TIES at density %s", (density, merged) => {
  const scalars = { lambda: 1, ...weights, ...everyModel("density", Number(density)) };
  expectGolden({ method: "ties", scalars }, plusBase(tensorsOf(merged)));
});

test.each([
  ["normalized_favor_target", "l2", true],
  ["normalized_no_favor", "l2", false],
  ["raw_no_favor", "none", false],
] as const)("Fisher merging, %s", (key, normalize, favor_target) => {
  const scalars = { floor: 1e-6, ...perModel("weight", golden.fisher.coef) };
  const merge: Merge = {
    method: "fisher",
    options: { normalize, favor_target },
    scalars,
    inputs: [...models, ...fishers],
  };
  expectGolden(merge, tensorsOf(golden.fisher[key]));
  if (normalize === "none") return;
  const found = run(merge).scalars;
  const norms = [0, 1, 2].map((i) => Math.sqrt(found[`statistic[${i}]`]!));
  expectClose(norms, golden.fisher.l2norms, 1e-12, 0);
});

describe("DF-Merge with given Fisher information", () => {
  const scalars = { epsilon: 1e-12, ...perModel("weight", golden.df_merge.lam) };
  test("is the reference's", () => {
    expectGolden(
      { method: "df_merge", scalars, inputs: [bases, ...models, ...fishers] },
      tensorsOf(golden.df_merge.theta),
    );
  });
  test("that is equal everywhere is task arithmetic", () => {
    const ones = fishers.map((f) => f.map((t) => t.map(() => 1)));
    const expected = tensorsOf(golden.df_merge.uniform_fisher_equals_task_arithmetic);
    expectGolden({ method: "df_merge", scalars, inputs: [bases, ...models, ...ones] }, expected);
    expectGolden({ method: "task_arithmetic", scalars: { lambda: 1, ...scalars } }, expected);
  });
});

const weight = tensorIndex("l0.weight");
/** That tensor of some models, as a whole model. */
const onlyWeight = (of: readonly (readonly (readonly number[])[])[]) => of.map((tensors) => [tensors[weight]!]);

describe("slerp", () => {
  test.each(Object.entries(golden.slerp))("at t = %s", (t, expected) => {
    expectGolden({ method: "slerp", scalars: { t: Number(t) }, inputs: onlyWeight(models.slice(0, 2)) }, [
      flatten(expected),
    ]);
  });
  test("of vectors that point the same way is linear", () => {
    const [first] = models[0]!.slice(weight);
    const double = first!.map((x) => 2 * x);
    expectGolden({ method: "slerp", scalars: { t: 0.3 }, inputs: [[first!], [double]] }, [
      flatten(golden.slerp_colinear),
    ]);
  });
});

test("karcher stops where the reference stops, and converges to where it converges", () => {
  const inputs = onlyWeight(models);
  const { tol, out, max_iter200 } = golden.karcher;
  // The reference's own numbers are a few float32 roundings from the formula in float64.
  expectGolden({ method: "karcher", scalars: { max_iter: 10, tol }, inputs }, [flatten(out)], 3e-7);
  expectGolden({ method: "karcher", scalars: { max_iter: 32, tol: 1e-12 }, inputs }, [flatten(max_iter200)], 3e-7);
});

test("model_stock, by tensor and by row", () => {
  const expected = golden.inputs.order.map((name) => flatten(golden.model_stock[name]!.merged));
  expectGolden({ method: "model_stock", scalars: {} }, expected);
  const rows = run({ method: "model_stock", options: { filter_wise: true }, scalars: {} });
  const wanted = flatten(golden.model_stock_filterwise_l0w.merged);
  expectClose(rows.exact[weight]!, wanted, 1e-9, 1e-12);
  expectClose(rows.kernels[weight]!, wanted, 2e-6, 4e-7);
});

test.each([
  ["entries", golden.sce.mergekit],
  ["weights", golden.sce.fuseai],
])("sce with its selection for %s", (selection, expected) => {
  const scalars = { select_topk: golden.sce.select_topk };
  expectGolden({ method: "sce", options: { selection }, scalars }, plusBase(tensorsOf(expected)));
});
