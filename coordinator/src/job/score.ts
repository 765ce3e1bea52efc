// What a score must be before it is believed: evaluators are other processes, and a journal keeps finite numbers only.
import type { Score } from "./events.ts";
import { itemResults } from "./item-results.ts";

/** Why a report cannot be a score; undefined when it can. `mayBeEmpty`: a later part of few items can have none. */
export function scoreProblem(score: Score, mayBeEmpty = false): string | undefined {
  const { items, correct, accuracy, standardError, loss } = score;
  if (!(items > 0 || (mayBeEmpty && items === 0))) return `it counts ${items} items`;
  if (!(correct >= 0 && correct <= items)) return `it counts ${correct} correct of ${items} items`;
  if (!(accuracy >= 0 && accuracy <= 1)) return `its accuracy is ${accuracy}`;
  if (!(standardError >= 0 && standardError <= 1)) return `the standard error of its accuracy is ${standardError}`;
  if (!Number.isFinite(loss)) return `its loss is ${loss}`;
  const right = itemResults(score)?.reduce((sum, one) => sum + one, 0);
  if (right !== undefined && right !== correct) return `it counts ${correct} correct, but ${right} item by item`;
  return undefined;
}
