/** Which layers see a window of the text only, as `config.json` says it. */

import { z } from "zod";
import { EvaluatorError } from "../../errors.ts";
import { positiveInt } from "./config.ts";

export interface WindowConfig {
  /** Tokens that a sliding layer sees, the token itself included. */
  readonly sliding_window: number | null;
  readonly layer_types?: readonly ("full_attention" | "sliding_attention")[] | null | undefined;
}

export const windowConfig: z.ZodType<WindowConfig> = z.object({
  sliding_window: positiveInt.nullable().default(4096),
  layer_types: z.array(z.enum(["full_attention", "sliding_attention"])).nullish(),
});

/**
 * The window of each layer, undefined where it sees all.
 * @param slides which layers slide where `layer_types` does not say so
 * @throws EvaluatorError when the config does not fit the number of layers, or a layer slides by no window.
 */
export function layerWindows(
  { sliding_window: window, layer_types: types }: WindowConfig,
  layers: number,
  slides: (layer: number) => boolean,
): (layer: number) => number | undefined {
  if (types && types.length !== layers) {
    throw new EvaluatorError(`config.json: layer_types: has ${types.length} entries for ${layers} layers`);
  }
  const sliding = Array.from({ length: layers }, (_, i) => (types ? types[i] === "sliding_attention" : slides(i)));
  if (window === null && sliding.includes(true)) {
    throw new EvaluatorError("config.json: sliding_window: must be given, because layer_types has sliding_attention");
  }
  return (layer) => (sliding[layer] ? window! : undefined);
}
