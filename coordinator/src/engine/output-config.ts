// config.json of the merged model: the donor's with the layers that were merged, and the dtype that the recipe asks for. Pure.
import { torchDTypeName } from "@amalgam/checkpoint";
import type { Plan } from "../plan/index.ts";

/**
 * The text of the changed config; undefined where the donor's own says the right thing. transformers wrote `torch_dtype`
 * before version 5 and writes `dtype` since: whichever the donor has is kept.
 */
export function outputConfig({
  recipe,
  donorConfig,
  config,
}: Pick<Plan, "recipe" | "donorConfig" | "config">): string | undefined {
  if (donorConfig === undefined || config === undefined) return undefined;
  const dtype = recipe.outDtype ?? recipe.dtype;
  const key = Object.hasOwn(config, "dtype") ? "dtype" : "torch_dtype";
  const wanted = dtype === undefined ? config : { ...config, [key]: torchDTypeName(dtype) };
  if (JSON.stringify(wanted) === JSON.stringify(donorConfig)) return undefined;
  return `${JSON.stringify(wanted, undefined, 2)}\n`;
}
