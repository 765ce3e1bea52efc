// config.json of the merged model: the donor's, with the dtype that the recipe asks for. Pure.
import { torchDTypeName } from "@amalgam/checkpoint";
import type { Plan } from "../plan/index.ts";

/**
 * The text of the changed config; undefined where the donor's own says the right thing. transformers wrote `torch_dtype`
 * before version 5 and writes `dtype` since: whichever the donor has is kept.
 */
export function outputConfig({ recipe, donorConfig }: Pick<Plan, "recipe" | "donorConfig">): string | undefined {
  const dtype = recipe.outDtype ?? recipe.dtype;
  if (dtype === undefined || donorConfig === undefined) return undefined;
  const key = Object.hasOwn(donorConfig, "dtype") ? "dtype" : "torch_dtype";
  const name = torchDTypeName(dtype);
  if (donorConfig[key] === name) return undefined;
  return `${JSON.stringify({ ...donorConfig, [key]: name }, undefined, 2)}\n`;
}
