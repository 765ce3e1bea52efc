// What is believed of a reported outcome: one that makes no sense as a measurement is a failure of the trial, one that
// makes no sense at all is an error of the caller.

import { StudyError } from "../errors.ts";
import type { Failure, Outcome } from "./events.ts";

/**
 * The outcome's own fields and nothing else, or why the trial counts as failed: a value or standard error that is not
 * finite, or a standard error below 0. Throws StudyError for what is not an outcome.
 */
export function readOutcome({ values, standardErrors, items, cost }: Outcome): Outcome | Failure {
  for (const [what, numbers] of Object.entries({ values, standardErrors: standardErrors ?? [] })) {
    if (!Array.isArray(numbers) || !numbers.every((one) => typeof one === "number")) {
      throw new StudyError(`the ${what} of an outcome must be a list of numbers`);
    }
  }
  if (items !== undefined && !(Number.isSafeInteger(items) && items > 0)) {
    throw new StudyError(`the items of an outcome must be a whole number > 0, not ${items}`);
  }
  if (cost !== undefined && !(Number.isFinite(cost) && cost >= 0)) {
    throw new StudyError(`the cost of an outcome must be a finite number >= 0, not ${cost}`);
  }
  const value = values.find((one) => !Number.isFinite(one));
  if (value !== undefined) return { reason: `score ${value} is not finite` };
  const error = standardErrors?.find((one) => !(one >= 0 && Number.isFinite(one)));
  if (error !== undefined) return { reason: `standard error ${error} is not a finite number >= 0` };
  return {
    values,
    ...(standardErrors && { standardErrors }),
    ...(items !== undefined && { items }),
    ...(cost !== undefined && { cost }),
  };
}
