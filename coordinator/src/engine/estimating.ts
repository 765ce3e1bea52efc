// Estimates on their way back: what a report of one means for the job, and what it means when a worker cannot fetch one any more.
import type { ScoreReport } from "@amalgam/proto";
import type { Logger } from "@amalgam/runtime";
import type { Fleet } from "../fleet/fleet.ts";
import type { GivenInputLost } from "../fleet/given-input-lost.ts";
import { FINAL_ID } from "../job/decide.ts";
import { estimateOf, eventsOfEstimateReport } from "../job/estimates.ts";
import type { JobEvent } from "../job/events.ts";
import type { JobState } from "../job/state.ts";
import { createHeldEstimates, type HeldEstimates } from "./held-estimates.ts";
import type { PreparedJob } from "./prepared-job.ts";

export interface Estimating {
  readonly held: HeldEstimates;
  /** What is to be recorded; nothing for reports that come too late or of a part only. */
  eventsOf(state: JobState, report: ScoreReport): JobEvent[];
  lost(state: JobState, error: GivenInputLost): JobEvent[];
}

export interface EstimatingContext {
  readonly jobId: string;
  readonly fleet: Fleet;
  readonly log: Logger;
}

export function createEstimating(job: PreparedJob, { jobId, fleet, log }: EstimatingContext): Estimating {
  const held = createHeldEstimates(job.estimateParts);

  const made = (state: JobState, report: ScoreReport): JobEvent[] => {
    const { candidateId: estimateId, generation, outcome } = report;
    const known = estimateOf(state, estimateId);
    if (outcome.case !== "estimate" || generation !== known.generation || known.isHeld) return [];
    const found = held.add(report, outcome.value);
    if (found === undefined) return [];
    const scaled = job.candidate(state, estimateId).mergeId;
    const news: JobEvent[] = [{ type: "estimated", estimateId, ...found }];
    if (known.sha256 !== undefined && known.sha256 !== found.sha256) {
      log.warn({ estimate: estimateId }, "an estimate that was made again has other values: evaluators differ");
      const isFinal = job.estimatesOf(state, FINAL_ID).includes(estimateId);
      // Shards of one model are merged with the same values.
      if (state.written.size > 0 && isFinal) news.push({ type: "stagingLost" });
    }
    fleet.drop(jobId, [scaled]);
    return news;
  };

  return {
    held,
    eventsOf(state, report) {
      const { candidateId, outcome } = report;
      const estimate = job.estimate(candidateId);
      if (state.end !== undefined || estimate === undefined) return [];
      if (outcome.case === "estimate") return made(state, report);
      const news = eventsOfEstimateReport(state, report, estimate.model);
      if (news.length > 0) log.warn({ estimate: candidateId, task: report.task, outcome }, "an estimate was not made");
      if (news.length === 0 || outcome.case !== "shardsLost") return news;
      const { mergeId } = job.candidate(state, candidateId);
      for (const shard of outcome.value.shards) fleet.lost(jobId, mergeId, shard);
      return news;
    },
    lost: (state, { lost }) =>
      held.lose(lost).map((estimateId) => {
        log.warn({ estimate: estimateId }, "an estimate is held no more: it is made again");
        return { type: "estimateLost", estimateId, generation: estimateOf(state, estimateId).generation };
      }),
  };
}
