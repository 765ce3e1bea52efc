// Has candidates merged and asks evaluators for their scores, or for the importance of the models that they are merged of. What
// has been asked is remembered, so that a step that is taken again asks for the rest only.
import { toAmalgamError } from "@amalgam/runtime";
import { GivenInputLost } from "../fleet/given-input-lost.ts";
import type { Step } from "../job/decide.ts";
import { estimateOf, estimateProblem } from "../job/estimates.ts";
import type { JobEvent, Part } from "../job/events.ts";
import { estimatesInUse } from "../job/in-use.ts";
import { evaluationKey, generationOf, type JobState } from "../job/state.ts";
import { type EvaluationContext, publishEvaluation } from "./evaluations.ts";
import { type MergedShard, type MergeEnvironment, mergeCandidate } from "./merge-candidate.ts";
import type { PreparedJob } from "./prepared-job.ts";
import type { CandidateActivity } from "./view.ts";

export interface CandidateRunsContext {
  readonly publication: EvaluationContext;
  readonly merging: MergeEnvironment;
  readonly activities: Map<string, CandidateActivity>;
  state(): JobState;
  changed(): void;
  /** The coefficients give weights that no model can have: the candidate fails, the search goes on. */
  failed(event: Extract<JobEvent, { type: "candidateFailed" | "estimateFailed" }>): void;
}

export type EvaluateStep = Extract<Step, { kind: "evaluate" }>;

export interface CandidateRuns {
  /** The step with the tasks that were not asked for yet. */
  unpublished(step: EvaluateStep): EvaluateStep;
  evaluate(step: EvaluateStep, job: PreparedJob): Promise<void>;
  /** Parts of an estimate that were not asked for yet. */
  unpublishedParts(estimateId: string, job: PreparedJob): readonly Part[];
  estimate(estimateId: string, parts: readonly Part[], job: PreparedJob): Promise<void>;
  /** The bus may have lost what was published. */
  publishAgain(): void;
}

/** All items of a split at once. */
const WHOLE: Part = { pieces: 1, first: 0, end: 1 };

export function createCandidateRuns(context: CandidateRunsContext): CandidateRuns {
  const { publication, merging, activities, state } = context;
  const published = new Set<string>();
  const evaluationName = (candidateId: string, task: string, { first }: Part): string =>
    `${evaluationKey(candidateId, task)}/${generationOf(state(), candidateId, task)}/${first}`;
  const estimateName = (id: string, { first }: Part): string => `${id}/${estimateOf(state(), id).generation}/${first}`;

  const activity = (candidateId: string, stage: CandidateActivity["stage"], shardsMerged: number): void => {
    activities.set(candidateId, { stage, shardsMerged });
    context.changed();
  };

  /** Undefined when the candidate failed. */
  const merged = async (candidateId: string, job: PreparedJob): Promise<MergedShard[] | undefined> => {
    const merge = job.candidate(state(), candidateId);
    const scaled = job.estimate(candidateId);
    try {
      return await mergeCandidate(merge, merging, (shards) => {
        if (scaled === undefined) activity(candidateId, "merging", shards);
      });
    } catch (thrown) {
      const { code, message } = toAmalgamError(thrown);
      // Its other shards are under way with what is lost.
      if (thrown instanceof GivenInputLost) merging.fleet.drop(merge.jobId, [merge.mergeId]);
      if (code !== "out_of_range") throw thrown;
      if (scaled === undefined) context.failed({ type: "candidateFailed", candidateId, problem: message });
      else {
        const problem = estimateProblem(scaled.model, message);
        context.failed({ type: "estimateFailed", estimateId: candidateId, problem });
      }
      return undefined;
    }
  };

  return {
    unpublished(step) {
      const { candidateId, part = WHOLE } = step;
      const tasks = step.tasks.filter((task) => !published.has(evaluationName(candidateId, task, part)));
      return { ...step, tasks };
    },
    async evaluate({ candidateId, tasks, part = WHOLE }, job) {
      const shards = await merged(candidateId, job);
      if (shards === undefined) return;
      activity(candidateId, "evaluating", shards.length);
      for (const task of tasks) {
        const name = evaluationName(candidateId, task, part);
        const generation = generationOf(state(), candidateId, task);
        await publishEvaluation(publication, job, state(), { candidateId, task, part, generation, shards });
        published.add(name);
      }
    },
    unpublishedParts(estimateId, { estimateParts: pieces }) {
      const parts = Array.from({ length: pieces }, (_, first): Part => ({ pieces, first, end: first + 1 }));
      return parts.filter((part) => !published.has(estimateName(estimateId, part)));
    },
    async estimate(candidateId, parts, job) {
      const shards = await merged(candidateId, job);
      if (shards === undefined) return;
      const { task } = job.estimate(candidateId)!;
      for (const part of parts) {
        const name = estimateName(candidateId, part);
        const { generation } = estimateOf(state(), candidateId);
        const inUse = [candidateId, ...estimatesInUse(state(), job.facts, (id) => job.estimatesOf(state(), id))];
        const evaluation = { candidateId, task, part, generation, inUse, shards };
        await publishEvaluation(publication, job, state(), evaluation);
        published.add(name);
      }
    },
    publishAgain: () => published.clear(),
  };
}
