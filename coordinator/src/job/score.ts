// What a score must be before it is believed: evaluators are other processes, and a journal keeps finite numbers only.
import type { Score } from "./events.ts";

/** Why a report cannot be a score; undefined when it can. */
export function scoreProblem({ items, correct, accuracy, standardError, loss }: Score): string | undefined {
  if (!(items > 0)) return `it counts ${items} items`;
  if (!(correct >= 0 && correct <= items)) return `it counts ${correct} correct of ${items} items`;
  if (!(accuracy >= 0 && accuracy <= 1)) return `its accuracy is ${accuracy}`;
  if (!(standardError >= 0 && standardError <= 1)) return `the standard error of its accuracy is ${standardError}`;
  if (!Number.isFinite(loss)) return `its loss is ${loss}`;
  return undefined;
}
