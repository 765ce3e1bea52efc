import type { Checkpoint, TensorSpec } from "@amalgam/checkpoint";
import { expect, test } from "vitest";
import { PlanProblems, planJob } from "./index.ts";
import { type SyntheticOptions, syntheticCheckpoint, syntheticJob } from "./testing/synthetic.ts";

const weight = (name: string, change: Partial<TensorSpec> = {}): TensorSpec => ({
  name,
  dtype: "F32",
  shape: [4, 4],
  ...change,
});

const SPECS = [weight("embed"), weight("layers.0.w"), weight("head")];
const TIES = "merge_method: ties\nbase_model: base\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1}\n";
const FISHER = "merge_method: fisher\nmodels: [{model: a}, {model: b}]\n";

type Changes = Record<string, readonly TensorSpec[] | { specs: readonly TensorSpec[]; options: SyntheticOptions }>;

function planWith(changes: Changes, text = TIES) {
  const checkpointAt = (path: string): Checkpoint => {
    const change = changes[path] ?? SPECS;
    return "specs" in change
      ? syntheticCheckpoint(path, change.specs, change.options)
      : syntheticCheckpoint(path, change);
  };
  return planJob(syntheticJob(text, checkpointAt));
}

function problemsOf(changes: Changes, text = TIES): readonly string[] {
  try {
    planWith(changes, text);
  } catch (error) {
    if (error instanceof PlanProblems) return error.problems;
    throw error;
  }
  throw new Error("the plan was made");
}

test("missing, misshapen and wrongly typed tensors are all found, naming model, tensor, rule and remedy", () => {
  const problems = problemsOf({
    a: [weight("embed", { shape: [5, 4] }), weight("head")],
    b: [weight("embed"), weight("layers.0.w", { dtype: "I32" }), weight("head"), weight("extra")],
  });
  expect(problems).toHaveLength(4);
  expect(problems[0]).toMatch(
    /^a: tensor embed: shape \[5, 4\] differs from \[4, 4\] in the base base \(.*`exclude`\)$/,
  );
  expect(problems[1]).toMatch(/^a: tensor layers.0.w: missing: the base base has it \(all models must be fine-tuned/);
  expect(problems[2]).toMatch(/^b: tensor layers.0.w: dtype I32 is of another kind than F32/);
  expect(problems[3]).toMatch(/^b: tensor extra: the base base has no such tensor/);
});

test("many tensors with one problem make one line", () => {
  const many = Array.from({ length: 200 }, (_, index) => weight(`t${index}`));
  const problems = problemsOf({ base: [...SPECS, ...many] });
  expect(problems).toHaveLength(2);
  expect(problems[0]).toMatch(/^a: 200 tensors: t0, t1, t10, t100, t101 and 195 more: missing/);
});

test("excluded tensors may be missing, misshapen or extra", () => {
  const text = `${TIES}exclude: [head, extra]\n`;
  const plan = planWith(
    { a: [weight("embed"), weight("layers.0.w"), weight("head", { shape: [9] }), weight("extra")] },
    text,
  );
  expect(plan.tensors.find(({ name }) => name === "head")?.action).toBe("copy");
  expect(plan.tensors.map(({ name }) => name)).not.toContain("extra");
  expect(plan.notes).toEqual(["a: tensor extra left out: not in base"]);
});

test("a pattern under `exclude` that matches nothing is a problem", () => {
  expect(problemsOf({}, `${TIES}exclude: [classifier, head]\n`)).toEqual([
    "exclude: `classifier` matches no tensor: remove it or correct it",
  ]);
});

test("integer buffers may differ: they are copied from the base", () => {
  const ids = weight("position_ids", { dtype: "I64", shape: [1, 8] });
  const plan = planWith({ base: [...SPECS, ids], b: [...SPECS, weight("seen", { dtype: "I64", shape: [] })] });
  expect(plan.tensors.find(({ name }) => name === "position_ids")?.action).toBe("copy");
  expect(plan.notes).toEqual(["b: tensor seen left out: not in base"]);
});

test("without a base the first model gives the tensors", () => {
  const text = TIES.replace("ties\nbase_model: base", "linear");
  expect(planWith({ b: [...SPECS].reverse() }, text).donorSlot).toBe(0);
  expect(problemsOf({ b: SPECS.slice(1) }, text)[0]).toMatch(/^b: tensor embed: missing/);
});

test("a tied tensor that a model does not store is read where it is stored", () => {
  const tied = { specs: SPECS.slice(0, 2), options: { tied: [{ stored: ["embed"], absent: ["head"] }] } };
  const { tensors } = planWith({ a: tied });
  const head = tensors.find(({ name }) => name === "head");
  const embed = tensors.find(({ name }) => name === "embed");
  expect(head?.sources[1]).toEqual(embed?.sources[1]);
});

test("a parameter of a model's own, which the base ties, is a problem", () => {
  const tied = { specs: SPECS.slice(0, 2), options: { tied: [{ stored: ["embed"], absent: ["head"] }] } };
  expect(problemsOf({ base: tied, b: tied })).toEqual([
    "a: tensor head is a parameter of its own, which base ties to embed (tie_word_embeddings in config.json must agree)",
  ]);
});

test("companions must have every merged tensor, in its shape and floating", () => {
  const problems = problemsOf(
    {
      "a/fisher.safetensors": [weight("embed", { shape: [2, 8] }), weight("layers.0.w", { dtype: "I8" })],
      "b/fisher.safetensors": SPECS,
    },
    FISHER,
  );
  expect(problems).toEqual([
    "a/fisher.safetensors (fisher of a): tensor embed: shape [2, 8] differs from the model's [4, 4]: it was computed for another model",
    "a/fisher.safetensors (fisher of a): tensor head: missing: compute it for every merged tensor, or list those without under `exclude`",
    "a/fisher.safetensors (fisher of a): tensor layers.0.w: dtype I8 is not a floating type",
  ]);
});

test("companions find shared parameters under the name that their model stores", () => {
  const tied = { specs: SPECS.slice(0, 2), options: { tied: [{ stored: ["embed"], absent: ["head"] }] } };
  const plan = planWith({ b: tied, "b/fisher.safetensors": SPECS.slice(0, 2) }, FISHER);
  const [head, embed] = ["head", "embed"].map((name) => plan.tensors.find((tensor) => tensor.name === name));
  expect(plan.slots[3]?.name).toBe("fisher of b");
  expect(head?.sources[3]).toEqual(embed?.sources[3]);
});

test("quantised checkpoints and values that kernels cannot read are refused", () => {
  const quantised = { specs: SPECS, options: { config: { quantization_config: { bits: 4 } } } };
  expect(problemsOf({ a: quantised })[0]).toMatch(/^a: is quantised/);
  const scales = [weight("embed", { dtype: "F8_E8M0" }), ...SPECS.slice(1)];
  expect(problemsOf({ a: scales })).toEqual([
    "a: tensor embed: F8_E8M0 values cannot be merged (convert the model to bfloat16 or float32)",
  ]);
});

test("a parameter that no filter gives to a tensor is found before any merge", () => {
  const text = TIES.replace("{weight: 1}", "{weight: [{filter: layers, value: 1}]}");
  expect(problemsOf({}, text)).toEqual([
    "`weight` of model `a`: no filter matches 2 tensors: embed, head: add an item without `filter`",
    "`weight` of model `b`: no filter matches 2 tensors: embed, head: add an item without `filter`",
  ]);
});
