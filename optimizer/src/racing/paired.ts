// Two candidates on the same items: what the items say about the difference of their scores. Items that both get right, or both
// wrong, cancel, so a paired difference is known far better than either score.

import { StudyError } from "../errors.ts";
import { normalDistribution } from "../numerics/normal.ts";

export interface PairedDifference {
  /** Weighted mean over the tasks of (candidate - other), in the scores' own unit. */
  readonly difference: number;
  readonly standardError: number;
  /** Probability that the candidate is the better one on items not seen, by the normal approximation. */
  readonly probabilityBetter: number;
}

/** Results of one candidate on one task: bytes are 1 for each item that was right, else 0; floats are any numbers whose mean is the score. */
export type ItemResults = Uint8Array | Float32Array;

/**
 * The difference of two candidates over tasks, each [items of the task] of both on the same items. `weights` (>= 0, not all 0)
 * are the tasks' shares of the objective, by default equal.
 *
 * The difference is the plain one. Of zeros and ones its variance, and the difference that the probability is of, are those of a difference of matched proportions with 0.5 added to each of the four
 * cells (Agresti, Min: Simple improved confidence intervals for comparing matched proportions. Statistics in Medicine 24, 2005), so that
 * few items, or no item that tells the two apart, are never taken for certainty. Of other numbers it is the paired sample variance; one item says nothing of
 * it, and the standard error is infinite.
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
    const of = ofTask(mine, other[task]!);
    difference += share * of.difference;
    shrunk += share * of.shrunk;
    variance += share === 0 ? 0 : share ** 2 * of.variance;
  }
  const standardError = Math.sqrt(variance);
  const probabilityBetter = shrunk === 0 ? 0.5 : normalDistribution(shrunk / standardError);
  return { difference, standardError, probabilityBetter };
}

interface TaskDifference {
  readonly difference: number;
  /** The difference that the probability is of. */
  readonly shrunk: number;
  readonly variance: number;
}

function ofTask(mine: ItemResults, theirs: ItemResults): TaskDifference {
  const items = mine.length;
  if (mine instanceof Uint8Array && theirs instanceof Uint8Array) {
    const { wins, losses } = discordant(mine, theirs);
    const shrunk = (wins - losses) / (items + 2);
    const variance = ((wins + losses + 1) / (items + 2) - shrunk ** 2) / (items + 2);
    return { difference: (wins - losses) / items, shrunk, variance };
  }
  let difference = 0;
  for (let item = 0; item < items; item++) difference += (mine[item]! - theirs[item]!) / items;
  let squares = 0;
  for (let item = 0; item < items; item++) squares += (mine[item]! - theirs[item]! - difference) ** 2;
  const variance = items > 1 ? squares / (items - 1) / items : Number.POSITIVE_INFINITY;
  return { difference, shrunk: difference, variance };
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
