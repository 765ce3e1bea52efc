// Evaluations on their way to the bus: one message for each candidate and task.
import { EvaluationSchema } from "@amalgam/proto";
import { type Bus, isRetryable, type Logger, systemClock, toAmalgamError } from "@amalgam/runtime";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Part } from "../job/events.ts";
import type { JobState } from "../job/state.ts";
import type { MergedShard } from "./merge-candidate.ts";
import type { PreparedJob } from "./prepared-job.ts";

const PUBLISH_AGAIN_MS = 250;

export interface EvaluationContext {
  readonly jobId: string;
  readonly bus: Bus;
  /** Where evaluators reach this coordinator. */
  readonly address: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface CandidateEvaluation {
  readonly candidateId: string;
  readonly task: string;
  readonly part: Part;
  readonly generation: number;
  /** Set where not a score is wanted but the importance: the estimates that are still needed. */
  readonly inUse?: readonly string[];
  readonly shards: readonly MergedShard[];
}

/** Resolves when the bus has the evaluation: while it cannot be reached, or is full, the job waits. */
export async function publishEvaluation(
  { jobId, bus, address, log, signal }: EvaluationContext,
  job: PreparedJob,
  state: JobState,
  { candidateId, task, part, generation, inUse, shards }: CandidateEvaluation,
): Promise<void> {
  const evaluation = create(EvaluationSchema, {
    jobId,
    candidateId,
    task,
    split: job.candidateOf(state, candidateId).split,
    generation,
    coordinatorAddress: address,
    specSha256: job.evaluationSpec.sha256,
    pieces: part.pieces,
    firstPiece: part.first,
    endPiece: part.end,
    ...(inUse && { estimation: { inUse: [...inUse] } }),
    shards: shards.map(({ shard, sha256, byteLength, address: holder }) => {
      return { shard, sha256, byteLength: BigInt(byteLength), address: holder };
    }),
  });
  const id = `${jobId}/${job.candidate(state, candidateId).mergeId}/${task}/${generation}/${part.first}`;
  for (;;) {
    try {
      await bus.queue("evaluations").publish(id, toBinary(EvaluationSchema, evaluation));
      return;
    } catch (error) {
      if (!isRetryable(toAmalgamError(error).code)) throw error;
      log.warn({ err: error, evaluation: id }, "an evaluation could not be published yet");
      await systemClock.sleep(PUBLISH_AGAIN_MS, { signal });
    }
  }
}
