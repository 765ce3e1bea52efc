import type { TensorSpec } from "@amalgam/checkpoint";
import type { MergeGraph } from "@amalgam/kernels";
import type { MergeGroup } from "@amalgam/proto";
import { expect, test } from "vitest";
import {
  evaluationLayout,
  type Plan,
  type PlannedGroup,
  type PlannedVariant,
  planJob,
  reductionScopes,
  scalarRows,
  trialLease,
  variantMessage,
} from "./index.ts";
import { syntheticCheckpoint, syntheticJob } from "./testing/synthetic.ts";

const BLOCK = 65_536;
const SPECS: TensorSpec[] = [
  { name: "large", dtype: "F32", shape: [4, BLOCK] },
  { name: "small", dtype: "F32", shape: [8] },
  { name: "ids", dtype: "I64", shape: [8] },
];

const MODELS = "base_model: base\nmodels: [{model: a}, {model: b}]\n";

const plan = (text: string, shardBytes: number): Plan =>
  planJob({ ...syntheticJob(text, (path) => syntheticCheckpoint(path, SPECS)), shardBytes });

const own = ({ variants }: Plan): PlannedVariant => variants[0] as PlannedVariant;
const graphOf = ({ groups }: PlannedVariant): MergeGraph => (groups[0] as PlannedGroup).graph;

test("a statistic of a tensor is reduced across shards only where the tensor was cut", () => {
  const text = `merge_method: ties\n${MODELS}parameters: {weight: 1, density: 0.5}\n`;
  const whole = plan(text, 1e9);
  const { stages } = graphOf(own(whole));
  expect(stages.map(({ scope }) => scope)).toContain("tensor");
  expect(stages.flatMap((_, stage) => reductionScopes(whole, own(whole), 0, stage))).toEqual([]);
  const cut = plan(text, 3 * 4 * BLOCK);
  const [scope, ...more] = reductionScopes(cut, own(cut), 0, 0);
  expect(more).toEqual([]);
  expect(scope).toMatchObject({
    tensor: "large",
    elements: 4 * BLOCK,
    parameters: { "density[0]": 0.5, "weight[1]": 1 },
  });
  const shards = cut.shards.filter(({ segments }) => segments.some(({ tensor }) => tensor === "large"));
  expect(scope?.shards).toEqual(shards.map(({ index }) => index));
});

test("a statistic of the model covers every merged element and no copied one", () => {
  const planned = plan(`merge_method: ties_official\n${MODELS}`, 1e9);
  expect(reductionScopes(planned, own(planned), 0, 0)).toMatchObject([
    { tensor: "", elements: 4 * BLOCK + 8, shards: [0], parameters: { "density[0]": 0.2 } },
  ]);
});

test("a variant's slots follow its graph's inputs, its options are JSON", () => {
  const text = `merge_method: df_merge\n${MODELS}parameters: {weight: 1}
evaluate:
  tasks: [t]
  compare: [models, {merge_method: linear, parameters: {weight: 1, normalize: false}}]
`;
  const planned = plan(text, 1e9);
  expect(planned.slots.map(({ name }) => name)).toEqual(["base", "a", "b", "fisher of a", "fisher of b"]);
  const variants = planned.variants.map((variant) => {
    const { groups } = variantMessage(variant);
    const { method, hasBase, models, slots, options } = groups[0] as MergeGroup;
    expect(groups).toHaveLength(1);
    expect(slots).toHaveLength(graphOf(variant).inputs.length);
    return [variant.variant.name, method, hasBase, models, slots, options];
  });
  expect(variants).toEqual([
    ["df_merge", "df_merge", true, 2, [0, 1, 2, 3, 4], { normalize: JSON.stringify("none") }],
    ["base", "linear", false, 1, [0], { normalize: "true" }],
    ["a", "linear", false, 1, [1], { normalize: "true" }],
    ["b", "linear", false, 1, [2], { normalize: "true" }],
    ["linear", "linear", false, 2, [1, 2], { normalize: "false" }],
  ]);
});

test("coefficients of a search reach the recipe's own variant and no other", () => {
  const text = `merge_method: df_merge\n${MODELS}evaluate: {tasks: [t], compare: [models]}\nsearch: {trials: 4}\n`;
  const planned = plan(text, 1e9);
  const values = { "weight[a]": 0.25, "weight[b]": 0.75 };
  const rows = (variant: PlannedVariant) => scalarRows(planned, variant, values)(0).map((row) => row.values);
  expect(graphOf(own(planned)).parameters).toEqual(["epsilon", "weight[0]", "weight[1]"]);
  expect(rows(own(planned))).toContainEqual([1e-12, 0.25, 0.75]);
  expect(rows(planned.variants[1] as PlannedVariant)).toContainEqual([1]);
  expect(() => scalarRows(planned, own(planned))(0)).toThrow(/weight/);
});

test("evaluators get the merged bytes' layout in the order of the segments", () => {
  const planned = plan(`merge_method: linear\n${MODELS}parameters: {weight: 1}\ndtype: bfloat16\n`, 2 * 4 * BLOCK);
  const layout = evaluationLayout(planned);
  expect(
    layout.flatMap(({ shard, segments }) =>
      segments.map(({ tensor, dtype, elements }) => [shard, tensor, dtype, elements]),
    ),
  ).toEqual(
    planned.shards.flatMap(({ index, segments }) =>
      segments.map(({ tensor, outputDtype, elements }) => [index, tensor, outputDtype, elements]),
    ),
  );
  expect(new Set(layout.flatMap(({ segments }) => segments.map(({ dtype }) => dtype)))).toEqual(
    new Set(["BF16", "I64"]),
  );
});

test("a lease for timing has whole tensors where there are some, and ones for statistics that span shards", () => {
  const text = `merge_method: ties\n${MODELS}parameters: {weight: 1, density: 0.5}\n`;
  const whole = trialLease(plan(text, 1e9))!;
  expect(whole.candidate!.statistics).toEqual([]);
  expect(whole.candidate!.scalars).toHaveLength(whole.shard!.segments.length);
  const onlyCut = planJob({
    ...syntheticJob(text, (path) => syntheticCheckpoint(path, SPECS.slice(0, 1))),
    shardBytes: 3 * 4 * BLOCK,
  });
  const { statistics, scalars } = trialLease(onlyCut)!.candidate!;
  const { outputs } = graphOf(own(onlyCut)).stages[0]!;
  expect(statistics).toMatchObject([{ group: 0, statistic: 0, tensor: "large", values: outputs.map(() => 1) }]);
  expect(scalars).toHaveLength(1);
});
