// What an evaluator's report means for a job: the events to record. Pure.
import type { ScoreReport, Score as WireScore } from "@amalgam/proto";
import type { JobEvent, Part, Score } from "./events.ts";
import { scoreProblem } from "./score.ts";
import { generationOf, isSettled, type JobState } from "./state.ts";

/** Evaluations of one candidate and task that may be lost before the candidate fails. */
const MAX_LOST_EVALUATIONS = 5;

/** At most one event; none for a report that comes too late, twice, or from an earlier life of the job. */
export function eventsOfReport(state: JobState, report: ScoreReport): JobEvent[] {
  const { candidateId, task, outcome, generation, firstPiece } = report;
  if (state.end !== undefined || isSettled(state, candidateId, [task])) return [];
  // A score of an earlier life may be of other inputs.
  if (generation < state.firstGeneration) return [];
  if (firstPiece !== (state.partialScores.get(candidateId)?.get(task)?.end ?? 0)) return [];
  const failed = (problem: string): JobEvent[] => {
    const place = `task ${task}: `;
    return [{ type: "candidateFailed", candidateId, problem: problem.startsWith(place) ? problem : place + problem }];
  };
  switch (outcome.case) {
    case "score": {
      const { items, metric, score: value, standardError, loss, perItem } = outcome.value;
      const score: Score = { items, metric, score: value, standardError, loss, ...resultsOf(perItem) };
      const part = partOf(state, candidateId, firstPiece);
      const wrong = scoreProblem(score, part !== undefined && firstPiece > 0);
      if (wrong !== undefined) return failed(`no score: ${wrong}`);
      return [{ type: "scored", candidateId, task, score, ...(part && { part }) }];
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

function resultsOf({ case: kind, value }: WireScore["perItem"]): Pick<Score, "perItem"> {
  if (kind === undefined) return {};
  const text = Buffer.from(value).toString("base64");
  return { perItem: kind === "bits" ? { bits: text } : { float32: text } };
}

/** The part that a trial's score is of; undefined where trials do not race and for candidates that are no trials. */
function partOf(state: JobState, candidateId: string, first: number): Part | undefined {
  const looks = state.facts?.looks;
  if (looks === undefined || !state.trials.some((trial) => trial.candidateId === candidateId)) return undefined;
  return { pieces: looks.at(-1)!, first, end: looks.find((look) => look > first) ?? looks.at(-1)! };
}
