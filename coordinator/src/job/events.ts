// What a job's journal records. An event is a fact that other parts may already have acted on; everything else about
// a job (leases, merged shards in workers' memory, messages under way) is rebuilt after a restart and never recorded.
import type { StopReport, StudyEvent, StudySpec } from "@amalgam/optimizer";
import type { Pins } from "../recipe/index.ts";
import type { JobFacts } from "./facts.ts";

/** What was asked for. Paths are absolute; the recipe is kept as text so that a restart reads what the user wrote. */
export interface JobSpec {
  readonly kind: "merge" | "search";
  readonly recipe: string;
  readonly recipeName: string;
  readonly baseDirectory: string;
  readonly outputDirectory: string;
  readonly overwrite: boolean;
  /** Input bytes per shard; 0 lets the planner choose. */
  readonly shardBytes: number;
  /** Record the sha256 of every input file in the manifest, which costs a read of all of them. */
  readonly digestInputs: boolean;
  /** Of a recipe of several stages: where the models are that the stages before the last have made. */
  readonly stagesDirectory: string;
  /** What merges: "wasm", or the back-end of workers with a device. Part of what decides the bytes. */
  readonly backend: string;
}

/** What the recipe and the plan fix about a job, and how its candidates are called. */
export interface ViewFacts extends JobFacts {
  readonly method: string;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly split: string;
  readonly confirmSplit: string;
  /** In the order of `comparisons`. */
  readonly comparisonNames: readonly string[];
  /** Name of the recipe's own merge. */
  readonly variantName: string;
  /** Where the importance comes from that models are weighted by, in the recipe's word; absent where nothing is. */
  readonly importance?: {
    readonly estimate: string;
    /** Estimates that the recipe's own merge is made with, and each row of the comparison in their order. */
    readonly own: number;
    readonly comparisons: readonly number[];
  };
}

/** Score of one candidate on one task. */
export interface Score {
  readonly items: number;
  /** What is measured: `accuracy`, `exact_match`, `perplexity`, or a command's own. */
  readonly metric: string;
  /** What is maximised: more is better. Fractions lie in [0, 1]; of a perplexity it is the mean log-likelihood of a token, in nats. */
  readonly score: number;
  readonly standardError: number;
  /** Mean loss, in nats. */
  readonly loss: number;
  /** What each item brought, in base64: see `itemResults`. */
  readonly perItem?: { readonly bits: string } | { readonly float32: string };
}

/** Pieces `[first, end)` of the `pieces` that the items of a split are cut into. */
export interface Part {
  readonly pieces: number;
  readonly first: number;
  readonly end: number;
}

/** Why a trial was not scored on all items: on those that it was, it is beaten by the best trial that was known when it was proposed. */
export interface LostRace {
  readonly against: string;
  /** Mean over the tasks of (trial - the other), on the same items. */
  readonly difference: number;
  readonly standardError: number;
  readonly probabilityBetter: number;
}

/** What proposals follow from, besides the scores. */
export interface SearchBasis {
  /** A study of a box, or a soup of the models whose coefficients the dimensions are. */
  readonly proposer: "study" | "greedy_soup";
  readonly spec: StudySpec;
  /** What the study knows and has queued before its first trial. */
  readonly events: readonly StudyEvent[];
  /** What is known of an earlier search, in a sentence. */
  readonly earlier?: string;
  /** The search ends before its last trial when there is nothing more to gain. */
  readonly stopsEarly: boolean;
}

/** What is believed of a trial's true score. */
export interface Belief {
  readonly candidateId: string;
  readonly mean: number;
  readonly standardDeviation: number;
  /** The central 95 %. Absent, as the probability, where the search has no model. */
  readonly credibleInterval?: readonly [low: number, high: number];
  /** That it is the best of all trials. */
  readonly probabilityBest?: number;
  /** That it keeps all constraints; absent where there are none. */
  readonly probabilityFeasible?: number;
}

/** What the study's own record of a proposal has besides point and origin, so that a replay need not propose again. */
export type AskRecord = Omit<Extract<StudyEvent, { type: "ask" }>, "type" | "values" | "origin">;

export type JobEvent =
  | { readonly type: "submitted"; readonly spec: JobSpec }
  /** The same job was submitted again after it failed or was cancelled: go on with what was learned, as asked for now. */
  | { readonly type: "resumed"; readonly spec: JobSpec }
  /** Inputs or recipe files changed, or the output is wanted anew: forget everything but the specification. */
  | { readonly type: "restarted"; readonly reason: string; readonly spec: JobSpec }
  /** `facts` is what people are shown of the job, also when its inputs are gone. */
  | {
      readonly type: "planned";
      readonly planDigest: string;
      readonly facts: ViewFacts;
      /** What references of the recipe mean to the end of the job; without them when it has none that could move. */
      readonly pins?: Pins;
    }
  | { readonly type: "searchBegun"; readonly basis: SearchBasis }
  | {
      readonly type: "proposed";
      readonly candidateId: string;
      readonly coefficients: Readonly<Record<string, number>>;
      readonly origin: string;
      /** Absent for soups, which have nothing to record. */
      readonly ask?: AskRecord;
      /** What would have been recommended instead of another trial. */
      readonly leader?: Belief;
    }
  /** Instead of another trial. Those in flight are finished. */
  | { readonly type: "searchStopped"; readonly report: StopReport }
  /** Without `part` the score is of all items. Parts come one after another; the last one completes the score. */
  | {
      readonly type: "scored";
      readonly candidateId: string;
      readonly task: string;
      readonly score: Score;
      readonly part?: Part;
    }
  /** The trial keeps the scores it has. */
  | ({ readonly type: "raceLost"; readonly candidateId: string } & LostRace)
  /** An evaluator could not fetch the candidate's shards: its evaluation is published again under the next generation. */
  | {
      readonly type: "evaluationLost";
      readonly candidateId: string;
      readonly task: string;
      /** The generation that was lost. */
      readonly generation: number;
    }
  /** All parts of an estimate were made; `sha256` is the digest of their values. */
  | {
      readonly type: "estimated";
      readonly estimateId: string;
      readonly sha256: string;
      /** What it took the evaluators. */
      readonly seconds: number;
    }
  /** It was not made, or its values could not be fetched: it is asked for again under the next generation. */
  | { readonly type: "estimateLost"; readonly estimateId: string; readonly generation: number }
  /** The coordinator was away: it knows of no holder. */
  | { readonly type: "estimatesLost" }
  | { readonly type: "estimateFailed"; readonly estimateId: string; readonly problem: string }
  | { readonly type: "candidateFailed"; readonly candidateId: string; readonly problem: string }
  | ({
      readonly type: "recommended";
      readonly coefficients: Readonly<Record<string, number>>;
      /** The next best trials. */
      readonly runnersUp?: readonly Belief[];
      /** Of a search for trade-offs: the trials that are believed to be beaten by no other on every task. */
      readonly front?: readonly string[];
    } & Belief)
  | { readonly type: "shardWritten"; readonly shard: number; readonly segmentSha256: readonly string[] }
  /** The staging directory no longer has what was written there. */
  | { readonly type: "stagingLost" }
  | { readonly type: "published" }
  | { readonly type: "failed"; readonly code: string; readonly problem: string }
  | { readonly type: "cancelled" };
