// What a job says of the importance that its models are weighted by. Pure.
import type { ImportanceSchema } from "@amalgam/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { FINAL_ID } from "../job/decide.ts";
import type { JobState } from "../job/state.ts";

/** Undefined where the method asks for none. */
export function importanceView(state: JobState): MessageInitShape<typeof ImportanceSchema> | undefined {
  const { importance, comparisons = [] } = state.facts ?? {};
  if (importance === undefined) return undefined;
  const isMerged = (id: string): boolean => state.scores.has(id);
  const trials = state.trials.filter(({ candidateId }) => isMerged(candidateId)).length;
  const own = importance.own * (trials + Number(isMerged(FINAL_ID)));
  const rows = comparisons.map((id, index) => (isMerged(id) ? (importance.comparisons[index] ?? 0) : 0));
  const wanted = rows.reduce((sum, count) => sum + count, own);
  const distinct = state.estimates
    .values()
    .filter(({ sha256 }) => sha256 !== undefined)
    .toArray().length;
  const { made, seconds } = state.estimation;
  return { estimate: importance.estimate, made, reused: Math.max(0, wanted - distinct), seconds };
}

/** Whether a merge waits for what it is merged with. */
export function isEstimating({ facts, estimates, written }: JobState): boolean {
  if (facts?.kind !== "merge" || written.size === facts.shards) return false;
  const held = estimates
    .values()
    .filter(({ isHeld }) => isHeld)
    .toArray().length;
  return held < (facts.importance?.own ?? 0);
}
