// What the held-out items say about the published model beside another: both answered the same ones. Pure.
import { type PairedDifference, pairedDifference } from "@amalgam/optimizer";
import { itemResults } from "./item-results.ts";
import type { JobState } from "./state.ts";

/**
 * The candidate's objective minus the other's, item by item. Undefined unless both have all scores on the same items, with their
 * results item by item.
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
  return pairedDifference(mine, theirs);
}

function resultsOf({ scores }: JobState, candidateId: string, tasks: readonly string[]): Uint8Array[] | undefined {
  const all: Uint8Array[] = [];
  for (const task of tasks) {
    const score = scores.get(candidateId)?.get(task);
    const results = score && itemResults(score);
    if (results === undefined) return undefined;
    all.push(results);
  }
  return all;
}
