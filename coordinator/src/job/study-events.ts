// A search's journal as the events of its study. Pure: the study is a function of the basis, the proposals, and the scores of
// exactly those trials that were told before each, in the order of their numbers, whenever they came in.
import type { StudyEvent } from "@amalgam/optimizer";
import { type JobFacts, neededBefore } from "./facts.ts";
import type { JobState, TrialState } from "./state.ts";

export type StudyFacts = Pick<JobFacts, "parallel" | "firstTrials" | "tasks">;

/** The events before trial `trial` is asked for; those of the whole search when `trial` is undefined. */
export function studyEvents(state: JobState, facts: StudyFacts, trial?: number): StudyEvent[] {
  if (state.basis === undefined) throw new Error("the search has not begun");
  const events: StudyEvent[] = [...state.basis.events];
  let told = 0;
  const tellUpTo = (count: number): void => {
    for (; told < count; told++) events.push(...outcomeOf(state, facts.tasks, told));
  };
  for (const [number, { coefficients, origin, ask }] of state.trials.slice(0, trial).entries()) {
    tellUpTo(neededBefore(number, facts));
    const values = coefficients;
    events.push({ type: "ask", id: number, values, origin: origin as StudyOrigin, ...ask });
  }
  tellUpTo(trial === undefined ? state.trials.length : neededBefore(trial, facts));
  return events;
}

type StudyOrigin = Extract<StudyEvent, { type: "ask" }>["origin"];

/** The number that the study gave the trial. */
export const studyId = (trials: readonly TrialState[], trial: number): number => trials[trial]!.ask?.id ?? trial;

/** None while the trial is not settled: nothing is asked of the study then, but its record may be read. */
function outcomeOf({ trials, scores, failures }: JobState, tasks: readonly string[], trial: number): StudyEvent[] {
  const { candidateId } = trials[trial]!;
  const id = studyId(trials, trial);
  const measured = tasks.map((task) => scores.get(candidateId)?.get(task));
  const found = measured.filter((score) => score !== undefined);
  const reason = failures.get(candidateId);
  if (reason !== undefined) return [{ type: "fail", id, reason }];
  if (found.length < tasks.length) return [];
  const values = found.map(({ score }) => score);
  return [{ type: "tell", id, values, standardErrors: found.map(({ standardError }) => standardError) }];
}
