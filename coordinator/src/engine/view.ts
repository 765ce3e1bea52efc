// A job as people see it: durable state, what is under way, and what the recipe fixes, folded into one JobView. Pure.
import {
  type BeliefSchema,
  type CandidateView,
  CandidateViewSchema,
  type JobView,
  JobViewSchema,
} from "@amalgam/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { compareCandidates } from "../job/confirm.ts";
import { FINAL_ID } from "../job/decide.ts";
import type { Belief, LostRace, ViewFacts } from "../job/events.ts";
import { type JobState, metricOf, objective } from "../job/state.ts";
import { objectiveTitle, type TrialScore, trialScore } from "../job/trial-score.ts";
import { importanceView, isEstimating } from "./importance-view.ts";

/** What a candidate is doing right now; absent for those that wait or are settled. */
export interface CandidateActivity {
  readonly stage: "estimating" | "statistics" | "merging" | "evaluating";
  readonly shardsMerged: number;
}

export interface LiveFacts {
  readonly workers: number;
  readonly activities: ReadonlyMap<string, CandidateActivity>;
  readonly publishing: boolean;
  readonly waitingFor: string;
}

export function viewJob(jobId: string, state: JobState, live: LiveFacts): JobView {
  const { facts } = state;
  const importance = importanceView(state);
  const candidates: CandidateView[] = [];
  const add = (
    id: string,
    role: string,
    name: string,
    split: string,
    coefficients: Readonly<Record<string, number>>,
    origin: string,
    { stage = "", leader }: { readonly stage?: string | undefined; readonly leader?: Belief | undefined } = {},
  ): void => {
    const scores = state.scores.get(id);
    const score = facts && scored(state, role, id, facts.tasks);
    const problem = state.failures.get(id) ?? "";
    const activity = live.activities.get(id);
    candidates.push(
      create(CandidateViewSchema, {
        id,
        role,
        name,
        coefficients: { ...coefficients },
        origin,
        stage,
        state: problem !== "" ? "failed" : score ? "scored" : (activity?.stage ?? "waiting"),
        shardsMerged: activity?.shardsMerged ?? 0,
        objective: score?.value ?? 0,
        objectiveStandardError: score?.standardError ?? 0,
        unmet: [...(score?.unmet ?? [])],
        ...(leader && { leader: beliefMessage(leader) }),
        problem,
        ...racing(state.lostRaces.get(id)),
        ...(role === "comparison" && facts && published(state, id, facts.tasks)),
        scores: (facts?.tasks ?? []).flatMap((task) => {
          const measured = scores?.get(task);
          if (measured === undefined) return [];
          const { perItem: _, ...shown } = measured;
          return [{ task, split, ...shown }];
        }),
      }),
    );
  };
  for (const { candidateId, coefficients, origin, ask, leader } of state.trials) {
    add(candidateId, "trial", candidateId, facts?.split ?? "", coefficients, origin, { stage: ask?.stage, leader });
  }
  if (facts?.kind === "search") {
    for (const { id, name } of facts.experts ?? []) add(id, "expert", name, facts.split, {}, "");
    for (const [index, id] of facts.comparisons.entries()) {
      add(id, "comparison", facts.comparisonNames[index]!, facts.confirmSplit, {}, "");
    }
    const final = state.recommended;
    if (final) add(FINAL_ID, "final", facts.variantName, facts.confirmSplit, final.coefficients, final.candidateId);
  }
  return create(JobViewSchema, {
    jobId,
    kind: state.spec.kind,
    state: phase(state, facts, live),
    method: facts?.method ?? "",
    shards: facts?.shards ?? 0,
    shardsWritten: state.written.size,
    inputBytes: BigInt(facts?.inputBytes ?? 0),
    outputBytes: BigInt(facts?.outputBytes ?? 0),
    trialsPlanned: facts?.kind === "search" ? facts.trials : 0,
    candidates,
    recommendedId: state.recommended?.candidateId ?? "",
    problem: state.end?.kind === "failed" ? state.end.problem : "",
    problemCode: state.end?.kind === "failed" ? state.end.code : "",
    outputDirectory: state.spec.outputDirectory,
    workers: live.workers,
    tasks: [...(facts?.tasks ?? [])],
    objective: state.basis === undefined ? "" : objectiveTitle(state.basis, metricOf(state)),
    metric: metricOf(state),
    leaders: leadersOf(state),
    stopped: state.stopped?.reason ?? "",
    earlier: state.basis?.earlier ?? "",
    ...(importance && { importance }),
    front: [...(state.recommended?.front ?? [])],
    waitingFor: state.end ? "" : live.waitingFor,
  });
}

const racing = (race: LostRace | undefined) => {
  if (race === undefined) return {};
  const { against, ...difference } = race;
  return { lostRace: { against, difference } };
};

const published = (state: JobState, candidateId: string, tasks: readonly string[]) => {
  const publishedMinusThis = compareCandidates(state, FINAL_ID, candidateId, tasks);
  return publishedMinusThis && { publishedMinusThis };
};

function phase(state: JobState, facts: ViewFacts | undefined, live: LiveFacts): string {
  if (state.end?.kind === "published") return "done";
  if (state.end) return state.end.kind;
  if (facts === undefined) return "planning";
  if (live.publishing) return "publishing";
  if (isEstimating(state)) return "estimating";
  if (facts.kind === "merge" || state.written.size > 0) return "writing";
  if (state.recommended === undefined) return "searching";
  const settled = (id: string): boolean => state.failures.has(id) || objective(state, id, facts.tasks) !== undefined;
  return [FINAL_ID, ...facts.comparisons].every(settled) ? "writing" : "comparing";
}

/** A trial by what the search is after, any other model by its mean score. */
function scored(state: JobState, role: string, id: string, tasks: readonly string[]): TrialScore | undefined {
  if (role === "trial") return trialScore(state, id, tasks);
  const mean = objective(state, id, tasks);
  return mean && { ...mean, unmet: [] };
}

function leadersOf({ recommended, trials }: JobState): MessageInitShape<typeof BeliefSchema>[] {
  const known = recommended === undefined ? [trials.at(-1)?.leader] : [recommended, ...(recommended.runnersUp ?? [])];
  return known.filter((belief) => belief !== undefined).map(beliefMessage);
}

function beliefMessage(belief: Belief): MessageInitShape<typeof BeliefSchema> {
  const { candidateId, mean, standardDeviation, credibleInterval, probabilityBest, probabilityFeasible } = belief;
  const [low, high] = credibleInterval ?? [mean - standardDeviation, mean + standardDeviation];
  return {
    candidateId,
    mean,
    standardDeviation,
    low,
    high,
    ...(probabilityBest !== undefined && { probabilityBest }),
    ...(probabilityFeasible !== undefined && { probabilityFeasible }),
  };
}
