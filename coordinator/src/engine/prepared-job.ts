// A job with its inputs opened and its plan made: what the runner, the publisher and the services ask of it. Derived from
// the job's specification alone, so it is made anew after every restart.
import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  type CheckpointSource,
  dtypeBytes,
  type InputRecord,
  isDType,
  isRemoteSource,
  type ModelCard,
  openSource,
  recordInputs,
} from "@amalgam/checkpoint";
import type { InputFile, JobView } from "@amalgam/proto";
import { AmalgamError, CHUNK_BYTES, scaleOf } from "@amalgam/runtime";
import { FINAL_ID } from "../job/decide.ts";
import { estimateOf, isEstimate } from "../job/estimates.ts";
import type { JobSpec, SearchBasis, ViewFacts } from "../job/events.ts";
import type { JobState } from "../job/state.ts";
import {
  estimateTasks,
  loadPlanInputs,
  makesArtefact,
  type Plan,
  type PlannedVariant,
  planJob,
  reductionScopes,
  requireOwnOutput,
  type SlotHeader,
  scalarRows,
  variantMessage,
} from "../plan/index.ts";
import { type Pins, parseStages, pinned, requireJobKind, type Stage } from "../recipe/index.ts";
import { type EncodedSpec, type Evaluated, evaluationSpec } from "./evaluation-spec.ts";
import { jobImportance, type PlannedEstimate } from "./importance.ts";
import { jobFacts } from "./job-facts.ts";
import type { CandidateMerge } from "./merge-candidate.ts";
import { searchBasis } from "./search-basis.ts";
import { viewJob } from "./view.ts";

/** What is merged and where it is scored. */
export interface CandidateDefinition {
  readonly planned: PlannedVariant;
  readonly coefficients: Readonly<Record<string, number>>;
  readonly split: string;
}

export interface PreparedJob extends AsyncDisposable {
  readonly plan: Plan;
  /** The job's own merge last, after those that it is made of. */
  readonly stages: readonly Stage[];
  readonly headers: readonly SlotHeader[];
  readonly facts: ViewFacts;
  readonly planDigest: string;
  readonly evaluationSpec: EncodedSpec;
  candidateOf(state: JobState, candidateId: string): CandidateDefinition;
  candidate(state: JobState, candidateId: string): CandidateMerge;
  /** Ids of the estimates that a candidate is merged with; each is a candidate as well, of the model it is made of. */
  estimatesOf(state: JobState, candidateId: string): readonly string[];
  /** One that `estimatesOf` has named. */
  estimate(id: string): PlannedEstimate | undefined;
  /** Parts of the items that an estimate is made of. */
  readonly estimateParts: number;
  segmentBytes(shard: number, segment: number): number;
  /** Experts, where the search needs them, must have scores in `state`. */
  searchBasis(state: JobState): SearchBasis;
  readInput(file: number, offset: number, length: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** The inputs as the manifest records them. Throws when one is no longer what it was when the job was planned. */
  inputRecords(): Promise<InputRecord[]>;
  card(state: JobState, recipe: string): ModelCard;
  /** The finished job, as the report shows it. */
  view(state: JobState): JobView;
}

/** What is read at once of a remote file for a worker that cannot reach it: two requests side by side. */
const REMOTE_READ_BYTES = 16 * 2 ** 20;

/**
 * Reads the recipe, opens its inputs and plans.
 * @param pins what references meant when the job began
 * @throws RecipeProblems, PlanProblems with everything that keeps the job from running
 */
export async function prepareJob(jobId: string, spec: JobSpec, pins?: Pins): Promise<PreparedJob> {
  const stages = parseStages(spec.recipe, { fileName: spec.recipeName });
  const { recipe, uses } = stages.at(-1)!;
  requireJobKind(recipe, spec.kind, spec.recipeName);
  if (uses.length > 0 && spec.stagesDirectory === "") throw needsStages(spec.recipeName);
  const made = new Map(uses.map((name) => [name, join(spec.stagesDirectory, name)]));
  const { headers, tasks, graph, tokenizer, earlier } = await loadPlanInputs(recipe, spec.baseDirectory, {
    pins,
    stages: made,
  });
  await requireOwnOutput(headers, spec.outputDirectory);
  const estimating = estimateTasks(recipe, tasks);
  const plan = planJob({ recipe, headers, tokenizer, ...(spec.shardBytes > 0 ? { shardBytes: spec.shardBytes } : {}) });
  const planDigest = digestJob(plan, { tasks, graph }, spec.backend);
  const facts = jobFacts(spec, plan, tasks);
  const sources = new Map<number, Promise<CheckpointSource>>();
  const importance = jobImportance(plan, estimating);

  const candidateOf = (state: JobState, candidateId: string): CandidateDefinition => {
    if (candidateId === FINAL_ID) {
      const coefficients = state.recommended?.coefficients ?? {};
      return { planned: plan.variants[0]!, coefficients, split: facts.confirmSplit };
    }
    const comparison = facts.comparisons.indexOf(candidateId);
    if (comparison >= 0)
      return { planned: plan.variants[comparison + 1]!, coefficients: {}, split: facts.confirmSplit };
    const expert = (facts.experts ?? []).findIndex(({ id }) => id === candidateId);
    if (expert >= 0) {
      const planned = plan.variants[1 + facts.comparisons.length + expert]!;
      return { planned, coefficients: {}, split: facts.split };
    }
    const estimate = importance.get(candidateId);
    if (estimate !== undefined) return { planned: estimate.planned, coefficients: {}, split: estimating.split };
    const trial = state.trials.find((each) => each.candidateId === candidateId);
    if (trial === undefined) throw new AmalgamError("not_found", `job ${jobId} has no candidate ${candidateId}`);
    return { planned: plan.variants[0]!, coefficients: trial.coefficients, split: facts.split };
  };

  /** Statistics across shards read every shard concerned several times. */
  const spansShards = (planned: PlannedVariant): boolean =>
    planned.groups.some(({ graph }, group) =>
      graph.stages.some((_, stage) => reductionScopes(plan, planned, group, stage).length > 0),
    );

  // While candidates of a search are merged, outputs leave the memory as they are made.
  const largestShardBytes = plan.shardSizes.reduce(
    (most, { inputBytes, outputBytes }) => Math.max(most, inputBytes + (spec.kind === "merge" ? outputBytes : 0)),
    0,
  );

  const candidate = (state: JobState, candidateId: string): CandidateMerge => {
    const { planned, coefficients } = candidateOf(state, candidateId);
    const given = importance.of(planned, coefficients);
    const digests = given.map(({ estimate }) => estimate && estimateOf(state, estimate).sha256);
    const variant = isEstimate(candidateId) ? candidateId : plan.variants.indexOf(planned);
    const variantKey = JSON.stringify([variant, planDigest, ...digests]);
    const exact = createHash("sha256")
      .update(JSON.stringify([variantKey, coefficients]))
      .digest("hex")
      .slice(0, 8);
    return {
      jobId,
      mergeId: `${candidateId}.${exact}`,
      graphs: planned.groups.map(({ graph }) => graph),
      variant: variantMessage(planned),
      variantKey,
      shards: plan.shards,
      files: plan.files,
      given,
      backend: spec.backend,
      keepInputs: spec.kind === "search" || spansShards(planned),
      inputBytes: (shard) => plan.shardSizes[shard]!.inputBytes,
      largestShardBytes,
      scalars: scalarRows(plan, planned, coefficients),
      scopesOf: (group, stage) => reductionScopes(plan, planned, group, stage, coefficients),
    };
  };

  const prepared: PreparedJob = {
    plan,
    stages,
    headers,
    facts,
    planDigest,
    evaluationSpec: await evaluationSpec(plan, headers, { tasks, graph }),
    candidateOf,
    candidate,
    estimatesOf(state, candidateId) {
      const { planned, coefficients } = candidateOf(state, candidateId);
      return importance.of(planned, coefficients).flatMap(({ estimate }) => estimate ?? []);
    },
    estimate: importance.get,
    estimateParts: recipe.fisher?.parts ?? 1,
    segmentBytes(shard, segment) {
      const { elements, outputDtype } = plan.shards[shard]!.segments[segment]!;
      if (!isDType(outputDtype)) throw new Error(`unknown dtype ${outputDtype}`);
      return Number(elements) * dtypeBytes(outputDtype);
    },
    searchBasis: (state) => searchBasis(recipe, facts, state, earlier),
    async *readInput(file, offset, length, signal) {
      const input = plan.files[file];
      if (input === undefined) throw new AmalgamError("not_found", `job ${jobId} has no input file ${file}`);
      const opening = sources.get(file) ?? openInput(input);
      sources.set(file, opening);
      const source = await opening;
      if (offset < 0 || length < 0 || offset + length > source.byteLength) {
        throw new AmalgamError(
          "out_of_range",
          `${input.path}: bytes ${offset} to ${offset + length} are not in the file`,
        );
      }
      const step = isRemoteSource(source) ? REMOTE_READ_BYTES : CHUNK_BYTES;
      for (let at = 0; at < length; at += step) {
        const bytes = new Uint8Array(Math.min(step, length - at));
        await source.readInto(bytes, offset + at, { signal });
        for (let from = 0; from < bytes.length; from += CHUNK_BYTES) yield bytes.subarray(from, from + CHUNK_BYTES);
      }
    },
    inputRecords: () => recordAll(headers, plan.pins, spec.digestInputs),
    card: (state, recipeText) => cardOf(prepared.view(state), plan, recipeText),
    view: (state) => viewJob(jobId, state, { workers: 0, activities: new Map(), publishing: true, waitingFor: "" }),
    async [Symbol.asyncDispose]() {
      const opened = await Promise.allSettled(sources.values());
      for (const each of opened) if (each.status === "fulfilled") await each.value[Symbol.asyncDispose]();
    },
  };
  return prepared;
}

function openInput({ path, byteLength, version }: InputFile): Promise<CheckpointSource> {
  return openSource(path, version === "" ? {} : { expected: { byteLength: Number(byteLength), version } });
}

/** A job is one merge: what it is made of must be there. */
export const needsStages = (recipeName: string): AmalgamError =>
  new AmalgamError(
    "invalid_argument",
    `${recipeName}: a recipe of several stages is one job for each: run it with \`amalgam merge\` or \`amalgam search\``,
  );

/** Identifies inputs and tasks: a job whose digest changed while it was away starts anew. */
function digestJob(plan: Plan, { tasks, graph }: Evaluated, backend: string): string {
  const hash = createHash("sha256").update(plan.digest).update(backend);
  for (const { name, yaml, files } of tasks) {
    hash.update(JSON.stringify([name, yaml]));
    for (const [path, bytes] of files) hash.update(path).update(bytes);
  }
  if (graph !== undefined) hash.update(graph.onnx);
  return hash.digest("hex");
}

async function recordAll(headers: readonly SlotHeader[], pins: Pins, withContents: boolean): Promise<InputRecord[]> {
  const records: InputRecord[] = [];
  for (const { slot, checkpoint } of headers) {
    if (slot.given) continue;
    const files = await recordInputs(checkpoint, withContents);
    records.push({ path: pinned(pins, slot.path), identityDigest: checkpoint.identityDigest, files });
  }
  return records;
}

function cardOf(view: JobView, plan: Plan, recipe: string): ModelCard {
  const rows = view.candidates
    .filter(({ role, state }) => ["comparison", "final"].includes(role) && state === "scored")
    .map(({ name, scores, objective, objectiveStandardError }) => ({
      model: name,
      scores: [
        ...scores.map(({ score, standardError }) => ({ value: score, standardError })),
        { value: objective, standardError: objectiveStandardError },
      ],
    }));
  const models = plan.slots.filter(({ kind }) => kind !== "companion").map(({ path }) => pinned(plan.pins, path));
  const scores = {
    metric: `${view.candidates.at(-1)?.scores[0]?.split ?? ""} ${scaleOf(view.metric).name}`,
    tasks: [...view.tasks, "mean"],
    rows,
  };
  return {
    title: `${plan.recipe.method} merge of ${plan.recipe.models.length} models`,
    models,
    method: plan.variants[0]!.variant.name,
    recipe,
    artefact: makesArtefact(plan.recipe),
    ...(rows.length === 0 ? {} : { scores }),
  };
}
