// What the held-out items say about the published model beside another: both answered the same ones. Pure.
import { type PairedDifference, pairedDifference } from "@amalgam/optimizer";
import { type ItemResults, itemResults } from "./item-results.ts";
import type { JobState } from "./state.ts";

/**
 * The candidate's objective minus the other's, item by item. Undefined unless both have all scores on the same items, with their
 * results item by item, and these say how sure the difference is.
 */
export function compareCandidates(
  state: JobState,
  candidateId: string,
  otherId: string,
  tasks: readonly string[],
): PairedDifference | undefined {
  const mine = resultsOf(state, candidateId, tasks);
  const theirs = resultsOf(state, otherId, tasks);
  if (mine === undefined || theirs === undefined || tasks.length === 0) return undefined;
  if (!mine.every((results, task) => results.length === theirs[task]!.length)) return undefined;
  const paired = pairedDifference(mine, theirs);
  return Number.isFinite(paired.standardError) ? paired : undefined;
}

function resultsOf({ scores }: JobState, candidateId: string, tasks: readonly string[]): ItemResults[] | undefined {
  const all: ItemResults[] = [];
  for (const task of tasks) {
    const score = scores.get(candidateId)?.get(task);
    const results = score && itemResults(score);
    if (results === undefined) return undefined;
    all.push(results);
  }
  return all;
}
