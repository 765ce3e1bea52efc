// Texts of the merged model that differ from its donor's: config.json, and the files of its tokenizer. Pure.
import { isJsonObject, type JsonObject, torchDTypeName } from "@amalgam/checkpoint";
import type { Plan } from "../plan/index.ts";

type ConfigPlan = Pick<Plan, "recipe" | "donorConfig" | "config" | "tokenizer">;

/** The files that are not the donor's, by name. */
export function outputTexts(plan: ConfigPlan): ReadonlyMap<string, string> {
  const texts = new Map(Object.entries(plan.tokenizer?.files ?? {}));
  const config = outputConfig(plan);
  return config === undefined ? texts : texts.set("config.json", config);
}

/**
 * The text of the changed config: the donor's with the layers that were merged, the dtype that the recipe asks for and the size of
 * the vocabulary; undefined where the donor's own says the right thing. transformers wrote `torch_dtype` before version 5 and
 * writes `dtype` since: whichever the donor has is kept.
 */
export function outputConfig({ recipe, donorConfig, config, tokenizer }: ConfigPlan): string | undefined {
  if (donorConfig === undefined || config === undefined) return undefined;
  const dtype = recipe.outDtype ?? recipe.dtype;
  const key = Object.hasOwn(config, "dtype") ? "dtype" : "torch_dtype";
  const typed = dtype === undefined ? config : { ...config, [key]: torchDTypeName(dtype) };
  const wanted = tokenizer?.rows === undefined ? typed : withVocabularySize(typed, tokenizer.rows);
  if (JSON.stringify(wanted) === JSON.stringify(donorConfig)) return undefined;
  return `${JSON.stringify(wanted, undefined, 2)}\n`;
}

/** The language part of a multimodal model has a configuration of its own. */
function withVocabularySize(config: JsonObject, rows: number): JsonObject {
  const text = config["text_config"];
  return config["vocab_size"] === undefined && isJsonObject(text)
    ? { ...config, text_config: { ...text, vocab_size: rows } }
    : { ...config, vocab_size: rows };
}
