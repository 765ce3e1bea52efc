import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { resolveNumber } from "./index.ts";
import { tensorDepths } from "./layers.ts";
import { parseRecipe } from "./parse.ts";
import type { Setting } from "./types.ts";

const recipes = new URL("../../../tests/golden/mergekit/recipes/", import.meta.url);

const golden = async (name: string) => parseRecipe(await readFile(new URL(name, recipes), "utf8"), { fileName: name });

test("mergekit's own recipes parse as they are", async () => {
  const names = (await readdir(recipes)).filter((name) => name.endsWith(".yaml"));
  expect(names.length).toBeGreaterThanOrEqual(5);
  for (const name of names) expect((await golden(name)).models.length).toBeGreaterThanOrEqual(1);
});

const FIRST = { index: 0, count: 1, nearest: { index: 0, count: 1 } };

test("filters and gradients give each layer mergekit's values", async () => {
  const { models } = await golden("ties_gradient_filter.yaml");
  const names = [0, 1, 2, 3].flatMap((layer) => [
    `model.layers.${layer}.mlp.up_proj.weight`,
    `model.layers.${layer}.self_attn.q_proj.weight`,
  ]);
  const depths = tensorDepths(["model.embed_tokens.weight", "lm_head.weight", ...names]);
  const values = (setting: Setting | undefined, name: string) =>
    resolveNumber(setting as Setting, { name, depth: depths.get(name) as number, layer: FIRST });
  const [weight, density] = [models[0]?.parameters["weight"], models[1]?.parameters["density"]];
  for (const [layer, value] of [0.2, 0.4, 0.6, 0.8].entries()) {
    expect(values(weight, `model.layers.${layer}.mlp.up_proj.weight`)).toBeCloseTo(value, 12);
    expect(values(weight, `model.layers.${layer}.self_attn.q_proj.weight`)).toBe(0.4);
    expect(values(density, `model.layers.${layer}.self_attn.q_proj.weight`)).toBeCloseTo(0.3 + (0.6 * layer) / 3, 12);
  }
  // Outside of the layers a gradient is at its start.
  for (const name of ["model.embed_tokens.weight", "lm_head.weight"]) {
    expect(values(weight, name)).toBe(0.4);
    expect(values(density, name)).toBe(0.3);
  }
});

test("layers are counted for each stack, and an only layer is at the end of a gradient", () => {
  const depths = tensorDepths([
    "encoder.block.0.a",
    "encoder.block.4.layer.1.b",
    "encoder.block.2.layer.0.b",
    "decoder.block.0.a",
    "shared.weight",
    "layers.7",
  ]);
  expect(Object.fromEntries(depths)).toEqual({
    "encoder.block.0.a": 0,
    "encoder.block.4.layer.1.b": 1,
    "encoder.block.2.layer.0.b": 0.5,
    "decoder.block.0.a": 1,
    "shared.weight": 0,
    "layers.7": 0,
  });
});

test("filters are substrings and the first match wins; without a match there is no value", () => {
  const at = (setting: Setting, name: string, depth = 0.5) => resolveNumber(setting, { name, depth, layer: FIRST });
  const setting = [
    { value: 1, filter: "attn" },
    { value: [0, 10], filter: "*" },
  ];
  expect(at(setting, "x.attn.q")).toBe(1);
  expect(at(setting, "x.mlp")).toBe(5);
  expect(at([{ value: 1, filter: "a.n" }], "attn")).toBeUndefined();
  expect(at([0, 1, 4], "x", 0.75)).toBe(2.5);
  expect(at([3], "x", 1)).toBe(3);
});
