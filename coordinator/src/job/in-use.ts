// Which estimates are still needed by what has begun, so that evaluators keep them. Pure.
import { FINAL_ID } from "./decide.ts";
import type { EstimatesOf } from "./estimates.ts";
import type { JobFacts } from "./facts.ts";
import { isSettled, type JobState } from "./state.ts";

export function estimatesInUse(state: JobState, facts: JobFacts, estimatesOf: EstimatesOf): string[] {
  const isOpen = (candidateId: string): boolean => !isSettled(state, candidateId, facts.tasks);
  const trials = state.trials.map(({ candidateId }) => candidateId).filter(isOpen);
  const isChosen = facts.kind === "merge" || state.recommended !== undefined;
  // The final model is merged once more when it is written.
  const last = isChosen ? [FINAL_ID, ...facts.comparisons.filter(isOpen)] : [];
  return [...new Set([...trials, ...last].flatMap(estimatesOf))];
}
