// Two candidates on the same items: what the items say about the difference of their scores. Items that both get right, or both
// wrong, cancel, so a paired difference is known far better than either score.

import { StudyError } from "../errors.ts";
import { normalDistribution } from "../numerics/normal.ts";

export interface PairedDifference {
  /** Weighted mean over the tasks of (candidate - other), as a fraction of the items. */
  readonly difference: number;
  readonly standardError: number;
  /** Probability that the candidate is the better one on items not seen, by the normal approximation. */
  readonly probabilityBetter: number;
}

/** Results of one candidate on one task: for each item 1 when it was right, else 0. */
export type ItemResults = Uint8Array;

/**
 * The difference of two candidates over tasks, each [items of the task] of both on the same items. `weights` (>= 0, not all 0)
 * are the tasks' shares of the objective, by default equal.
 *
 * The difference is the plain one. Its variance, and the difference that the probability is of, are those of a difference of matched proportions with 0.5 added to each of the four
 * cells (Agresti, Min: Simple improved confidence intervals for comparing matched proportions. Statistics in Medicine 24, 2005), so that
 * few items, or no item that tells the two apart, are never taken for certainty.
 * @throws StudyError when the two were not measured on the same tasks and items, or on none
 */
export function pairedDifference(
  candidate: readonly ItemResults[],
  other: readonly ItemResults[],
  weights: readonly number[] = candidate.map(() => 1),
): PairedDifference {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const isSame = candidate.every((items, task) => items.length > 0 && items.length === other[task]?.length);
  if (!isSame || candidate.length !== other.length || weights.length !== candidate.length || !(total > 0)) {
    throw new StudyError("a paired difference needs both candidates' results on the same tasks and items");
  }
  let difference = 0;
  let shrunk = 0;
  let variance = 0;
  for (const [task, mine] of candidate.entries()) {
    const share = weights[task]! / total;
    const { wins, losses } = discordant(mine, other[task]!);
    const items = mine.length;
    const smoothed = (wins - losses) / (items + 2);
    difference += (share * (wins - losses)) / items;
    shrunk += share * smoothed;
    variance += share ** 2 * (((wins + losses + 1) / (items + 2) - smoothed ** 2) / (items + 2));
  }
  const standardError = Math.sqrt(variance);
  return { difference, standardError, probabilityBetter: normalDistribution(shrunk / standardError) };
}

function discordant(mine: ItemResults, theirs: ItemResults): { wins: number; losses: number } {
  let wins = 0;
  let losses = 0;
  for (let item = 0; item < mine.length; item++) {
    if (mine[item]! > theirs[item]!) wins++;
    else if (mine[item]! < theirs[item]!) losses++;
  }
  return { wins, losses };
}
