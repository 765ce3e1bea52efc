// What an evaluator's report means for a job: the events to record. Pure.
import type { ScoreReport } from "@amalgam/proto";
import type { JobEvent } from "./events.ts";
import { scoreProblem } from "./score.ts";
import { generationOf, isSettled, type JobState } from "./state.ts";

/** Evaluations of one candidate and task that may be lost before the candidate fails. */
const MAX_LOST_EVALUATIONS = 5;

/** At most one event; none for a report that comes too late, twice, or from an earlier life of the job. */
export function eventsOfReport(state: JobState, report: ScoreReport): JobEvent[] {
  const { candidateId, task, outcome, generation } = report;
  if (state.end !== undefined || isSettled(state, candidateId, [task])) return [];
  // A score of an earlier life may be of other inputs.
  if (generation < state.firstGeneration) return [];
  const failed = (problem: string): JobEvent[] => [
    { type: "candidateFailed", candidateId, problem: `task ${task}: ${problem}` },
  ];
  switch (outcome.case) {
    case "score": {
      const { items, correct, accuracy, standardError, loss } = outcome.value;
      const score = { items, correct, accuracy, standardError, loss };
      const wrong = scoreProblem(score);
      return wrong === undefined ? [{ type: "scored", candidateId, task, score }] : failed(`no score: ${wrong}`);
    }
    case "failure":
      return failed(outcome.value.message);
    case "shardsLost": {
      if (generation !== generationOf(state, candidateId, task)) return [];
      const lost = generation - state.firstGeneration + 1;
      if (lost <= MAX_LOST_EVALUATIONS) return [{ type: "evaluationLost", candidateId, task, generation }];
      return failed(
        `evaluators could not fetch its merged shards ${lost} times; can they reach the addresses of the workers?`,
      );
    }
    default:
      return [];
  }
}
