/** What a command prints, as scores: one JSON object, alone or as the last line of its output. */

import { FRACTION_METRICS } from "@amalgam/runtime";
import { z } from "zod";
import { EvaluatorError } from "../errors.ts";
import { type ItemScores, standardError } from "../score.ts";

const printed = z.strictObject({
  /** More is better. */
  score: z.number(),
  standard_error: z.number().nonnegative().optional(),
  items: z.int().positive().optional(),
  loss: z.number().optional(),
  /** Their mean is the score. */
  per_item: z.array(z.number()).min(1).optional(),
});

/** A printed mean and the mean of what is printed differ by rounding only. */
const tolerance = 1e-4;

/** @throws EvaluatorError for output that has no scores, or scores that cannot be */
export function readScores(output: string, metric: string, place: string): ItemScores {
  const parsed = printed.safeParse(lastObject(output, place));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => [...path, message].join(": "));
    throw new EvaluatorError(`${place}: printed JSON that is no score: ${problems.join("; ")}`);
  }
  const { score, loss = -score, per_item: perItem } = parsed.data;
  const { items = perItem?.length ?? 1 } = parsed.data;
  const wrong = (problem: string): never => {
    throw new EvaluatorError(`${place}: printed a score of ${score}: ${problem}`);
  };
  if (FRACTION_METRICS.includes(metric) && !(score >= 0 && score <= 1)) wrong(`${metric} is a fraction from 0 to 1`);
  if (perItem !== undefined && perItem.length !== items) wrong(`per_item has ${perItem.length} of ${items} items`);
  const mean = perItem && perItem.reduce((sum, value) => sum + value, 0) / items;
  if (mean !== undefined && Math.abs(mean - score) > tolerance * Math.max(1, Math.abs(score))) {
    wrong(`the mean of per_item is ${mean}`);
  }
  return {
    items,
    metric,
    score,
    standardError: parsed.data.standard_error ?? errorOf(metric, score, parsed.data.items, perItem) ?? wrong(noError),
    loss,
    perItem: perItem && packed(perItem),
  };
}

const noError = "it needs standard_error as well, or per_item, or, of a fraction, items";

function errorOf(
  metric: string,
  score: number,
  items: number | undefined,
  perItem: readonly number[] | undefined,
): number | undefined {
  if (FRACTION_METRICS.includes(metric) && items !== undefined) return standardError(score * items, items);
  if (perItem === undefined || perItem.length < 2) return undefined;
  const squares = perItem.reduce((sum, value) => sum + (value - score) ** 2, 0);
  return Math.sqrt(squares / (perItem.length - 1) / perItem.length);
}

const packed = (values: readonly number[]): Uint8Array | Float32Array =>
  values.every((value) => value === 0 || value === 1) ? Uint8Array.from(values) : Float32Array.from(values);

function lastObject(output: string, place: string): unknown {
  const text = output.trim();
  for (const candidate of [text, text.slice(text.lastIndexOf("\n") + 1)]) {
    try {
      return JSON.parse(candidate);
    } catch {
      // Programs say other things first; what the last line is not, nothing is.
    }
  }
  const seen = text.length > 200 ? `...${text.slice(-200)}` : text;
  throw new EvaluatorError(
    `${place}: printed no JSON, neither alone nor as its last line (${text === "" ? "it printed nothing" : `it ends with ${JSON.stringify(seen)}`})`,
  );
}
