import type { Checkpoint, JsonObject, TensorSpec } from "@amalgam/checkpoint";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Plan, PlanProblems, planJob, reductionScopes, scalarRows, variantMessage } from "./index.ts";
import { syntheticCheckpoint, syntheticJob } from "./testing/synthetic.ts";

const tensor = (name: string, shape: readonly number[] = [4, 4]): TensorSpec => ({ name, dtype: "F32", shape });

/** A language model of so many layers. */
const llama = (layers: number): TensorSpec[] => [
  tensor("model.embed_tokens.weight"),
  ...Array.from({ length: layers }, (_, layer) => [
    tensor(`model.layers.${layer}.mlp.weight`),
    tensor(`model.layers.${layer}.norm.weight`, [4]),
  ]).flat(),
  tensor("model.norm.weight", [4]),
  tensor("lm_head.weight"),
];

const LAYERS: Readonly<Record<string, number>> = { base: 4, a: 4, b: 6, c: 4 };

function planWith(text: string, change: (path: string) => Checkpoint | undefined = () => undefined): Plan {
  const config = (layers: number): JsonObject => ({ num_hidden_layers: layers, hidden_size: 4 });
  return planJob(
    syntheticJob(text, (path) => {
      const layers = LAYERS[path] ?? 4;
      return change(path) ?? syntheticCheckpoint(path, llama(layers), { config: config(layers) });
    }),
  );
}

function problemsOf(...args: Parameters<typeof planWith>): readonly string[] {
  try {
    planWith(...args);
  } catch (error) {
    if (error instanceof PlanProblems) return error.problems;
    throw error;
  }
  throw new Error("the plan was made");
}

const STACK = `merge_method: passthrough
slices:
- sources: [{model: a, layer_range: [0, 3]}]
- sources: [{model: b, layer_range: [4, 6]}]
`;

/** The parameters of the recipe's own merge by tensor. */
function scalars(plan: Plan): Map<string, readonly number[]> {
  const own = plan.variants[0]!;
  return new Map(
    plan.shards.flatMap(({ index, segments }) =>
      scalarRows(plan, own)(index).map(({ values }, i) => [segments[i]!.tensor, values] as const),
    ),
  );
}

test("layers are numbered anew; what comes before them is the first slice's, what follows the last one's", () => {
  const plan = planWith(STACK);
  const origins = plan.tensors.map(({ name, sources, inputNames }) => {
    const slot = sources.findIndex((source) => source !== undefined);
    return [name, plan.slots[slot]?.name, inputNames?.[slot] ?? name];
  });
  expect(origins).toHaveLength(2 * 5 + 3);
  expect(origins).toContainEqual(["model.embed_tokens.weight", "a", "model.embed_tokens.weight"]);
  expect(origins).toContainEqual(["model.layers.2.mlp.weight", "a", "model.layers.2.mlp.weight"]);
  expect(origins).toContainEqual(["model.layers.3.mlp.weight", "b", "model.layers.4.mlp.weight"]);
  expect(origins).toContainEqual(["model.layers.4.norm.weight", "b", "model.layers.5.norm.weight"]);
  expect(origins).toContainEqual(["lm_head.weight", "b", "lm_head.weight"]);
  expect(plan.config).toEqual({ num_hidden_layers: 5, hidden_size: 4 });
});

test("slices of the same models and options are one group, others have their own, numbered alike in all variants", () => {
  const plan = planWith(`merge_method: linear
slices:
- sources: [{model: a, layer_range: [0, 1]}, {model: c, layer_range: [1, 2]}]
- sources: [{model: a, layer_range: [1, 2]}, {model: b, layer_range: [5, 6]}]
- sources: [{model: a, layer_range: [2, 3]}, {model: c, layer_range: [0, 1]}]
- sources: [{model: a, layer_range: [2, 3]}, {model: c, layer_range: [0, 1]}]
  parameters: {normalize: false}
parameters: {weight: 1}
evaluate: {tasks: [t], compare: [{merge_method: karcher}]}
`);
  const [own, karcher] = plan.variants.map((variant) => variantMessage(variant).groups);
  expect(own?.map(({ slots, options }) => [slots, options["normalize"]])).toEqual([
    [[0, 1], "true"],
    [[0, 2], "true"],
    [[0, 1], "false"],
  ]);
  expect(karcher?.map(({ slots, method }) => [slots, method])).toEqual([
    [[0, 1], "karcher"],
    [[0, 2], "karcher"],
    [[0, 1], "karcher"],
  ]);
  const groupOf = new Map(
    plan.shards.flatMap(({ segments }) => segments.map(({ tensor: name, group }) => [name, group])),
  );
  expect([0, 1, 2, 3].map((layer) => groupOf.get(`model.layers.${layer}.mlp.weight`))).toEqual([0, 1, 0, 2]);
  expect(groupOf.get("model.embed_tokens.weight")).toBe(0);
  expect(groupOf.get("lm_head.weight")).toBe(2);
});

test("gradients run over the layers of their slice, and are at their start outside of them", () => {
  const found = scalars(
    planWith(`merge_method: passthrough
slices:
- sources: [{model: b, layer_range: [1, 6], parameters: {scale: [0, 1]}}]
- sources: [{model: a, layer_range: [0, 1], parameters: {scale: [0, 1]}}]
- sources: [{model: a, layer_range: [0, 2]}]
parameters: {scale: [5, 7]}
`),
  );
  const layer = (index: number) => found.get(`model.layers.${index}.mlp.weight`);
  expect([0, 1, 2, 3, 4].map(layer)).toEqual([[0], [0.25], [0.5], [0.75], [1]]);
  expect([5, 6, 7].map(layer)).toEqual([[1], [5], [7]]);
  expect(found.get("model.embed_tokens.weight")).toEqual([0]);
  expect(found.get("lm_head.weight")).toEqual([5]);
});

test("settings hold by source, slice, module and recipe, and a list without a match falls through each", () => {
  const found = scalars(
    planWith(`merge_method: linear
modules:
  default:
    slices:
    - sources:
      - {model: a, layer_range: [0, 4], parameters: {weight: [{filter: layers.0., value: 1}]}}
      parameters: {weight: [{filter: layers.1., value: 2}]}
    parameters: {weight: [{filter: layers.2., value: 3}]}
parameters: {weight: [{filter: layers.3., value: 4}, {value: 5}]}
`),
  );
  expect([0, 1, 2, 3].map((layer) => found.get(`model.layers.${layer}.norm.weight`))).toEqual([[1], [2], [3], [4]]);
  expect(found.get("model.norm.weight")).toEqual([5]);
});

test("filters of a model's parameters see the tensor's name in the model, those of the merge its new name", () => {
  const plan = planWith(`merge_method: ties
base_model: base
slices:
- sources: [{model: base, layer_range: [0, 1]}, {model: a, layer_range: [0, 1]}]
- sources:
  - {model: base, layer_range: [0, 1]}
  - {model: b, layer_range: [5, 6]}
parameters:
  weight: [{filter: layers.5., value: 0.5}, {value: 0.25}]
  lambda: [{filter: layers.1., value: 2}, {value: 1}]
`);
  const [own] = plan.variants;
  expect(own?.groups[1]?.graph.parameters).toEqual(["density[0]", "lambda", "weight[0]"]);
  expect(scalars(plan).get("model.layers.0.mlp.weight")?.slice(1)).toEqual([1, 0.25]);
  expect(scalars(plan).get("model.layers.1.mlp.weight")?.slice(1)).toEqual([2, 0.5]);
});

test("a range beyond the model, and models that do not fit, are one problem each", () => {
  expect(problemsOf(STACK.replace("[4, 6]", "[4, 7]"))).toEqual([
    "slice 2: `layer_range` [4, 7] of b goes beyond its 6 layers",
  ]);
  expect(problemsOf(STACK.replace("[4, 6]", "[4, 9007199254740991]"))).toHaveLength(1);
  const wide = syntheticCheckpoint("b", [...llama(6).slice(0, -1), tensor("lm_head.weight", [8, 4])]);
  const linear = `merge_method: linear
slices:
- sources: [{model: a, layer_range: [0, 2]}, {model: b, layer_range: [2, 4]}]
- sources: [{model: a, layer_range: [0, 2]}]
parameters: {weight: 1}
`;
  expect(planWith(linear, (path) => (path === "b" ? wide : undefined)).tensors).toHaveLength(2 * 4 + 3);
  const narrow = syntheticCheckpoint(
    "b",
    llama(6).filter(({ name }) => !/layers\.3\.mlp/.test(name)),
  );
  expect(problemsOf(linear, (path) => (path === "b" ? narrow : undefined))).toEqual([
    expect.stringMatching(/^b: tensor model.layers.1.mlp.weight: missing: the first model a has it/),
  ]);
});

test("a model whose config ties what the last slice brings as a parameter of its own is refused, and so is one that would lack it", () => {
  const tied = syntheticCheckpoint("a", llama(4).slice(0, -1), {
    config: { num_hidden_layers: 4 },
    tied: [{ stored: ["model.embed_tokens.weight"], absent: ["lm_head.weight"] }],
  });
  expect(problemsOf(STACK, (path) => (path === "a" ? tied : undefined))).toEqual([
    expect.stringContaining(
      "tensor lm_head.weight would be a parameter of its own, which the config of a ties to model.embed",
    ),
  ]);
  const headless = syntheticCheckpoint("b", llama(6).slice(0, -1));
  expect(problemsOf(STACK, (path) => (path === "b" ? headless : undefined))).toEqual([
    expect.stringContaining("tensor lm_head.weight would be missing, which a, whose config the merged model gets, has"),
  ]);
});

test("a statistic over the whole model needs the same models, options and numbers in every slice", () => {
  const slices = (second: string) => `merge_method: ties_official
base_model: base
slices:
- sources: [{model: base, layer_range: [0, 2]}, {model: a, layer_range: [0, 2], parameters: {density: 0.2}}]
- sources: [{model: base, layer_range: [2, 4]}, ${second}]
`;
  const same = planWith(slices("{model: a, layer_range: [2, 4], parameters: {density: 0.2}}"));
  expect(same.variants[0]?.groups).toHaveLength(1);
  expect(problemsOf(slices("{model: c, layer_range: [2, 4]}"))).toEqual([
    expect.stringContaining("method `ties_official` takes statistics over whole models"),
  ]);
  expect(problemsOf(slices("{model: a, layer_range: [2, 4], parameters: {density: 0.3}}"))).toEqual([
    expect.stringContaining("`density` has other values in other slices"),
  ]);
});

test("statistics across shards are reduced group by group, over the group's own tensors", () => {
  const large = [0, 1].map((layer) => tensor(`m.layers.${layer}.w`, [80, 2 ** 20]));
  const text = `merge_method: ties
base_model: base
slices:
- sources: [{model: base, layer_range: [0, 1]}, {model: a, layer_range: [0, 1]}]
- sources: [{model: base, layer_range: [1, 2]}, {model: a, layer_range: [1, 2]}, {model: c, layer_range: [0, 1]}]
parameters: {weight: 1, density: 0.5}
`;
  const plan = planWith(text, (path) => syntheticCheckpoint(path, large));
  const own = plan.variants[0]!;
  expect(own.groups.map(({ slots }) => slots)).toEqual([
    [0, 1],
    [0, 1, 2],
  ]);
  const scopes = own.groups.map((_, group) => reductionScopes(plan, own, group, 0));
  expect(scopes.map((found) => found.map(({ tensor: name }) => name))).toEqual([["m.layers.0.w"], ["m.layers.1.w"]]);
  expect(scopes.map(([scope]) => Object.keys(scope!.parameters).length)).toEqual([3, 5]);
});

const vision = (layers: number): TensorSpec[] => [
  tensor("vision_tower.patch_embed.weight"),
  ...Array.from({ length: 2 }, (_, layer) => tensor(`vision_tower.blocks.${layer}.weight`)),
  tensor("projector.weight"),
  ...llama(layers).map(({ name, ...rest }) => ({ name: `language_model.${name}`, ...rest })),
];
const vlm = (path: string) =>
  syntheticCheckpoint(path, vision(4), {
    config: { text_config: { num_hidden_layers: 4, layer_types: ["x", "y", "x", "z"] }, vision_config: { depth: 2 } },
  });

test("slices of a model of several modules are refused with their names, `modules` take them", () => {
  expect(problemsOf(STACK, vlm)).toEqual([
    "a: has several modules (`language_model` with 4 layers, `projector`, `vision_tower` with 2 layers): say of which the slices are, under `modules`",
    expect.stringMatching(/^b: has several modules/),
  ]);
  const text = `merge_method: passthrough
modules:
  language_model:
    slices:
    - sources: [{model: b, layer_range: [1, 4]}]
    - sources: [{model: a, layer_range: [1, 3]}]
`;
  const plan = planWith(text, vlm);
  expect(plan.tensors.filter(({ action }) => action === "copy").map(({ name }) => name)).toEqual([
    "projector.weight",
    "vision_tower.blocks.0.weight",
    "vision_tower.blocks.1.weight",
    "vision_tower.patch_embed.weight",
  ]);
  expect(plan.notes).toEqual(["`projector`, `vision_tower` copied from b: the recipe's `modules` do not name them"]);
  expect(plan.config).toEqual({
    text_config: { num_hidden_layers: 5, layer_types: ["y", "x", "z", "y", "x"] },
    vision_config: { depth: 2 },
  });
  expect(problemsOf(text.replace("language_model:", "languge_model:"), vlm)).toEqual([
    expect.stringMatching(/^b: has no module `languge_model` \(its modules: `language_model` with 4 layers, /),
    expect.stringMatching(/^a: has no module `languge_model`/),
  ]);
});

test("any way of cutting a model into slices of itself is the model", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { maxLength: 5 }), (cuts) => {
      const ends = [...cuts.toSorted((a, b) => a - b), 6];
      const slices = ends.map(
        (end, index) => `- sources: [{model: b, layer_range: [${ends[index - 1] ?? 0}, ${end}]}]\n`,
      );
      const plan = planWith(`merge_method: passthrough\nslices:\n${slices.join("")}`);
      const whole = planWith("merge_method: passthrough\nmodels: [{model: b}]\n");
      expect(plan.output).toEqual(whole.output);
      expect(plan.config).toEqual(whole.config);
      const places = ({ tensors }: Plan) => new Map(tensors.map(({ name, sources }) => [name, sources]));
      expect(places(plan)).toEqual(places(whole));
    }),
  );
});
