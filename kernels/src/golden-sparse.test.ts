// The published functions' numbers: methods that leave entries of task vectors out.
import { expect, test } from "vitest";
import type { Expr, F32 } from "./expr.ts";
import type { MergeMethod } from "./method.ts";
import { keepProbabilities } from "./methods/della.ts";
import { METHODS } from "./methods/index.ts";
import {
  bases,
  cut,
  expectClose,
  expectGolden,
  flatten,
  golden,
  models,
  perModel,
  plusBase,
  run,
  tensorIndex,
  tensorsOf,
} from "./testing/golden-methods.ts";

const weight = tensorIndex("l0.weight");
const one = { "weight[0]": 1, lambda: 1 };

test.each([
  ["inverse_density", golden.dare.paper],
  ["l1", golden.dare.mergekit_l1],
])("DARE with the reference's mask, rescaled by %s", (rescale_by, expected) => {
  // The mask in place of random numbers: 0 where an entry is kept, 1 where it is dropped.
  const given: MergeMethod = {
    ...METHODS["dare_linear"]!,
    companions: ["uniform"],
    build: (m) => {
      const replaced = (e: Expr): Expr =>
        e.op === "random" ? m.companions("uniform")[e.stream]! : ({ ...e, args: e.args.map(replaced) } as Expr);
      return replaced(METHODS["dare_linear"]!.build(m)) as F32;
    },
  };
  const uniform = flatten(golden.dare.mask).map((kept) => 1 - kept);
  const inputs = [[bases[weight]!], [models[0]![weight]!], [uniform]];
  const scalars = { ...one, "density[0]": 1 - golden.dare.paper_p };
  const merged = flatten(expected).map((x, i) => bases[weight]![i]! + x);
  expectGolden({ method: given, options: { rescale_by }, scalars, inputs }, [merged]);
});

test.each([
  ["each row", 6, golden.della.keep_prob_row],
  ["the whole tensor", 24, golden.della.keep_prob_layer],
] as const)("DELLA's probabilities within %s", (_, columns, expected) => {
  const della = METHODS["della"]!;
  const probabilities: MergeMethod = { ...della, build: (m) => keepProbabilities(m)[0]! };
  const { density, eps } = golden.della;
  const scalars = { "density[0]": density, "epsilon[0]": eps };
  const second = tensorIndex("l1.weight");
  const inputs = [[bases[second]!], [models[1]![second]!]];
  const { exact, kernels } = run({ method: probabilities, scalars, inputs, rowElements: [columns] });
  // Of equal magnitudes the reference's sort may rank either first.
  const sizes = models[1]![second]!.map((x, i) => Math.abs(x - bases[second]![i]!));
  const byMagnitude = (found: ArrayLike<number>): number[] =>
    Array.from(found, (p, i) => [sizes[i]!, p] as const)
      .sort(([a, p], [b, q]) => a - b || p - q)
      .map(([, p]) => p);
  expectClose(byMagnitude(exact[0]!), byMagnitude(flatten(expected)), 1e-7, 0);
  expectClose(byMagnitude(kernels[0]!), byMagnitude(flatten(expected)), 1e-6, 0);
});

test("Breadcrumbs by tensor, without entries of a tensor too small for an outlier, as in mergekit", () => {
  const scalars = { ...one, "density[0]": 0.5, "gamma[0]": 0.05 };
  const inputs = [bases, models[0]!];
  expectGolden({ method: "breadcrumbs", scalars, inputs }, plusBase(tensorsOf(golden.breadcrumbs_mergekit)));
});

test("Breadcrumbs by row, as in the paper's code", () => {
  const { beta_keep, gamma_remove, remove_first } = golden.breadcrumbs_official;
  const scalars = { ...one, "density[0]": beta_keep, "gamma[0]": gamma_remove };
  const options = { granularity: "row" };
  expectGolden(
    { method: "breadcrumbs", options, scalars, inputs: [bases, models[0]!] },
    plusBase(tensorsOf(remove_first)),
  );
});

test.each([
  ["sum", 1e-4, golden.pcb.toplevel.merged],
  ["normalized_pairs", 0.01, golden.pcb.vision_ES.merged_lambda1],
] as const)("PCB-Merging, competition by %s", (competition, clip, merged) => {
  const scalars = { ...perModel("weight", [1, 1, 1]), density: golden.pcb.ratio, clip, lambda: 1 };
  expectGolden({ method: "pcb", options: { competition }, scalars }, plusBase(cut(merged)));
});

test("consensus of the TALL masks of one, two and three tasks", () => {
  const multiTask = cut(bases.flat().map(() => 0)).map((t, i) =>
    t.map((_, j) => models.reduce((sum, m) => sum + m[i]![j]! - bases[i]![j]!, 0)),
  );
  const scalars = { ...perModel("mask_lambda", [0.4, 0.4, 0.4]), lambda: 1 };
  for (const [agreement, mask] of Object.entries(golden.tall.consensus_lambda04)) {
    const kept = cut(mask).map((t, i) => t.map((bit, j) => bit * multiTask[i]![j]!));
    expectGolden({ method: "consensus_ta", scalars: { ...scalars, agreement: Number(agreement) } }, plusBase(kept));
  }
  expectGolden(
    { method: "consensus_ta", scalars: { ...scalars, agreement: 2 } },
    plusBase(cut(golden.tall.consensus_TA_k2)),
  );
  expect(Object.keys(golden.tall.consensus_lambda04)).toHaveLength(3);
});

/** The bit of each model, as the program of the masks stores it: tensor, model, element. */
function maskBits(method: string, scalars: Record<string, number>): number[][][] {
  const { exact, kernels } = run({ method, scalars, masks: 0 });
  expect(kernels.map((t) => [...t])).toEqual(exact.map((t) => [...t]));
  return kernels.map((t) => models.map((_, i) => Array.from(t, (bits) => (bits >> i) & 1)));
}

test("EMR's unified vector, masks and both kinds of scales", () => {
  expectGolden({ method: "emr", scalars: {} }, tensorsOf(golden.emr.unified));
  expect(maskBits("emr", {})).toEqual(
    golden.inputs.order.map((name) => golden.emr.masks[name]!.map((mask) => flatten(mask))),
  );
  for (const [rescale_by, expected] of [
    ["l1", golden.emr.rescalers_paper_global_l1],
    ["tensor_means", golden.emr.rescalers_official_sum_of_tensor_means],
  ] as const) {
    const { scales } = run({ method: "emr", options: { rescale_by }, scalars: {} });
    expectClose(scales, expected, 1e-7, 0);
  }
});

test("TALL masks at every lambda", () => {
  for (const [lambda, expected] of Object.entries(golden.tall.masks)) {
    const value = Number(lambda);
    const bits = maskBits("tall_masks", perModel("mask_lambda", [value, value, value]));
    const vectors = models.map((_, i) => bits.flatMap((tensor) => tensor[i]!));
    expect(vectors).toEqual(expected);
  }
});
