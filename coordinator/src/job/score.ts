// What a score must be before it is believed: evaluators are other processes, and a journal keeps finite numbers only.
import { FRACTION_METRICS } from "@amalgam/runtime";
import type { Score } from "./events.ts";
import { itemResults } from "./item-results.ts";

/** Results are kept in float32; a mean of them is this close to the score. */
const TOLERANCE = 1e-4;

/** Why a report cannot be a score; undefined when it can. `mayBeEmpty`: a later part of few items can have none. */
export function scoreProblem(score: Score, mayBeEmpty = false): string | undefined {
  const { items, metric, score: value, standardError, loss } = score;
  if (!(items > 0 || (mayBeEmpty && items === 0))) return `it counts ${items} items`;
  if (metric === "") return "it does not say what it measures";
  const name = metric.replaceAll("_", " ");
  if (!Number.isFinite(value)) return `its ${name} is ${value}`;
  if (FRACTION_METRICS.includes(metric) && !(value >= 0 && value <= 1)) return `its ${name} is ${value}`;
  if (!(standardError >= 0 && Number.isFinite(standardError))) {
    return `the standard error of its ${name} is ${standardError}`;
  }
  if (!Number.isFinite(loss)) return `its loss is ${loss}`;
  const results = itemResults(score);
  if (results === undefined || items === 0) return undefined;
  const mean = [...results].reduce((sum, one) => sum + one, 0) / items;
  if (Math.abs(mean - value) <= TOLERANCE * Math.max(1, Math.abs(value))) return undefined;
  return `its ${name} is ${value}, but ${mean} item by item`;
}
