/** Which layers of a Qwen model see a window of the text only: none unless `use_sliding_window` says so, and then the upper ones. */

import { z } from "zod";
import { layerWindows, type WindowConfig, windowConfig } from "./layer-windows.ts";

interface QwenWindowConfig extends WindowConfig {
  readonly use_sliding_window: boolean;
  /** How many layers, from the first on, see all of the text. */
  readonly max_window_layers: number;
}

export const qwenWindowConfig: z.ZodType<QwenWindowConfig> = windowConfig.and(
  z.object({
    use_sliding_window: z.boolean().default(false),
    max_window_layers: z.number().int().nonnegative().default(28),
  }),
);

export function qwenWindows(
  config: QwenWindowConfig & { readonly layers: number },
): (layer: number) => number | undefined {
  const { use_sliding_window: used, sliding_window: window, max_window_layers: full } = config;
  const slides = used && window !== null;
  return layerWindows(
    { ...config, sliding_window: used ? window : null },
    config.layers,
    (layer) => slides && layer >= full,
  );
}
