// Races: a trial is scored on some items first, and on the others only while it may still be the best. Pure.
import { pairedDifference } from "@amalgam/optimizer";
import type { LostRace, Part } from "./events.ts";
import type { JobFacts } from "./facts.ts";
import { neededBefore } from "./facts.ts";
import { type ItemResults, itemResults } from "./item-results.ts";
import { type JobState, objective } from "./state.ts";

/** A trial less likely than this to beat the best one is not scored further. */
const GIVE_UP_BELOW = 0.02;

export type RaceStep =
  | { readonly kind: "score"; readonly tasks: readonly string[]; readonly part: Part }
  | ({ readonly kind: "lost" } & LostRace);

/**
 * What a trial that has not every score needs next. All tasks are scored on the same pieces before a trial is judged; it is
 * judged by the best of the trials that were settled when it was proposed, so that the verdict depends on scores and not on when they came.
 * @param looks pieces after which a trial is judged, ascending; the last is the number of pieces
 */
export function raceStep(state: JobState, trial: number, facts: JobFacts, looks: readonly number[]): RaceStep {
  const { candidateId } = state.trials[trial]!;
  const scores = state.scores.get(candidateId);
  const partial = state.partialScores.get(candidateId);
  const endOf = (task: string): number => (scores?.has(task) ? looks.at(-1)! : (partial?.get(task)?.end ?? 0));
  const reached = Math.min(...facts.tasks.map(endOf));
  if (reached > 0 && facts.tasks.every((task) => endOf(task) === reached)) {
    const verdict = judge(state, trial, facts);
    if (verdict !== undefined && verdict.probabilityBetter < GIVE_UP_BELOW) return { kind: "lost", ...verdict };
  }
  const part = { pieces: looks.at(-1)!, first: reached, end: looks.find((look) => look > reached)! };
  return { kind: "score", tasks: facts.tasks.filter((task) => endOf(task) === reached), part };
}

/** The trial against the best that was scored on all items; undefined where there is none to compare with. */
function judge(state: JobState, trial: number, facts: JobFacts): LostRace | undefined {
  const { candidateId } = state.trials[trial]!;
  const against = bestComplete(state, neededBefore(trial, facts), facts.tasks);
  if (against === undefined) return undefined;
  const mine: ItemResults[] = [];
  const theirs: ItemResults[] = [];
  for (const task of facts.tasks) {
    const results = itemResults(state.partialScores.get(candidateId)!.get(task)!.score);
    const others = itemResults(state.scores.get(against)!.get(task)!);
    // A part of few items may have had none, and says nothing of its task.
    if (results === undefined || others === undefined || results.length === 0) return undefined;
    mine.push(results);
    theirs.push(others.subarray(0, results.length));
  }
  return { against, ...pairedDifference(mine, theirs) };
}

function bestComplete(state: JobState, count: number, tasks: readonly string[]): string | undefined {
  let best: { readonly candidateId: string; readonly value: number } | undefined;
  for (const { candidateId } of state.trials.slice(0, count)) {
    const score = state.lostRaces.has(candidateId) ? undefined : objective(state, candidateId, tasks);
    if (score !== undefined && (best === undefined || score.value > best.value)) {
      best = { candidateId, value: score.value };
    }
  }
  return best?.candidateId;
}
