import type { JsonObject } from "@amalgam/checkpoint";
import { expect, test } from "vitest";
import { parseRecipe } from "../recipe/index.ts";
import { outputConfig } from "./output-config.ts";

const recipe = (dtypes: string) =>
  parseRecipe(`merge_method: linear\nmodels:\n  - { model: a, parameters: { weight: 1 } }\n${dtypes}`, {
    fileName: "recipe.yaml",
  });
const configFor = (dtypes: string, config: JsonObject) =>
  outputConfig({ recipe: recipe(dtypes), donorConfig: config, config });

test("the config of a merge names the dtype that the recipe asks for, under the key the donor uses", () => {
  const old = configFor("dtype: bfloat16\n", { model_type: "bert", torch_dtype: "float32" });
  expect(JSON.parse(old!)).toEqual({ model_type: "bert", torch_dtype: "bfloat16" });
  const both = "dtype: bfloat16\nout_dtype: float16\n";
  expect(JSON.parse(configFor(both, { dtype: "float32" })!)).toEqual({ dtype: "float16" });
});

test("a config that says the right thing already, and one that no dtype is asked for, stay as they are", () => {
  expect(configFor("dtype: float16\n", { dtype: "float16" })).toBeUndefined();
  expect(configFor("", { dtype: "float32" })).toBeUndefined();
});
