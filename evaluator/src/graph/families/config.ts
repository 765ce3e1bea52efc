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
