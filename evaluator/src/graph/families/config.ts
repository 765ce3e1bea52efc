/** Reading `config.json`: every wrong key at once, in the words of the file. */

import { z } from "zod";
import { EvaluatorError } from "../../errors.ts";

export const positiveInt: z.ZodNumber = z.number().int().positive();

/** @throws EvaluatorError with one line per wrong key. */
export function parseConfig<T>(schema: z.ZodType<T>, config: unknown): T {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  throw new EvaluatorError(
    parsed.error.issues.map((issue) => `config.json: ${issue.path.join(".")}: ${issue.message}`),
  );
}

/** What says how many labels a classifier has. */
export const labelKeys: {
  readonly id2label: z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
  readonly num_labels: z.ZodOptional<z.ZodNumber>;
} = {
  id2label: z.record(z.string(), z.unknown()).optional(),
  num_labels: positiveInt.optional(),
};

/** transformers' default when the config names no labels. */
const defaultLabels = 2;

export function labelCount(config: {
  readonly id2label?: object | undefined;
  readonly num_labels?: number | undefined;
}): number {
  return config.id2label ? Object.keys(config.id2label).length : (config.num_labels ?? defaultLabels);
}

/** A side of a square, or `[height, width]`. */
export const imageSides: z.ZodType<readonly [height: number, width: number]> = z
  .union([positiveInt, z.tuple([positiveInt, positiveInt])])
  .transform((sides) => (typeof sides === "number" ? ([sides, sides] as const) : sides));

/** Adds the rule that the attention's heads share the hidden features evenly. */
export function headsDivide(
  config: { readonly hidden_size: number; readonly num_attention_heads: number },
  context: z.RefinementCtx,
): void {
  if (config.hidden_size % config.num_attention_heads === 0) return;
  context.addIssue({ code: "custom", path: ["num_attention_heads"], message: "must divide hidden_size" });
}
