// From merged shards to a published model: the staging directory, shards written into it by workers (or fetched from those
// that cannot reach it), and the final seal with side files, card, report and manifest.
import { createHash } from "node:crypto";
import {
  artefactName,
  collectSideFiles,
  contentDigest,
  createStaging,
  findPublished,
  isLicence,
  localFingerprint,
  modelCard,
  type Staging,
  sealAndPublish,
} from "@amalgam/checkpoint";
import { graphText } from "@amalgam/kernels";
import type { ShardService } from "@amalgam/proto";
import { AmalgamError, type ClientPool } from "@amalgam/runtime";
import { FINAL_ID } from "../job/decide.ts";
import { type JobState, metricOf } from "../job/state.ts";
import { studyEvents } from "../job/study-events.ts";
import { makesArtefact } from "../plan/index.ts";
import { stageText, withCoefficients } from "../recipe/index.ts";
import type { Analysis } from "../report/analysis.ts";
import { searchHistory } from "../report/history.ts";
import { HISTORY_FILE } from "../report/history-file.ts";
import { versionsOf } from "../versions.ts";
import { artefactDescription } from "./artefact-description.ts";
import {
  type CandidateMerge,
  candidateStatistics,
  type GroupStatistic,
  type MergeEnvironment,
  writeShard,
} from "./merge-candidate.ts";
import { outputTexts } from "./output-config.ts";
import { hasPieces, outputPieces } from "./output-pieces.ts";
import type { PreparedJob } from "./prepared-job.ts";

/** The staging directory of a job and what its shards have in common. */
export interface Staged {
  readonly staging: Staging;
  /** Shards that were written since this process began. */
  readonly fresh: Set<number>;
  /** Statistics of the final candidate, found once for each exact merge: a failure is not remembered. */
  statistics(merge: CandidateMerge, environment: MergeEnvironment): Promise<GroupStatistic[]>;
}

/** The recipe with the coefficients that are published; `amalgam merge` of it gives the same weights. */
export function finalRecipe({ stages, plan }: PreparedJob, state: JobState): string {
  const own = stages.at(-1)!;
  const merged = { ...own, recipe: withCoefficients(own.recipe, state.recommended?.coefficients ?? {}) };
  return stageText([...stages.slice(0, -1), merged], merged, plan.pins);
}

/** Digest of all that decides the published weights, but for the contents of the inputs: the same wherever they are copied. */
function outputDigest(job: PreparedJob, state: JobState): string {
  const decisive = createHash("sha256").update(finalRecipe(job, state));
  decisive.update(job.plan.tokenizer?.digest ?? "");
  for (const { checkpoint } of job.headers) decisive.update(`\n${checkpoint.identityDigest}`);
  for (const file of job.plan.output.files) decisive.update(file.header);
  for (const { graph } of job.plan.variants[0]!.groups) decisive.update(graphText(graph));
  decisive.update(state.spec.backend);
  return decisive.digest("hex");
}

/** Whether the output is there already: an earlier life of the coordinator ended between the rename and its journal entry. */
export async function isPublished(job: PreparedJob, state: JobState): Promise<boolean> {
  const { outputDirectory } = state.spec;
  const planDigest = outputDigest(job, state);
  const manifest = await findPublished(outputDirectory, async (manifest) => {
    return manifest.planDigest === planDigest && (await hasPieces(outputDirectory, manifest, outputPieces(job, state)));
  });
  return manifest !== undefined;
}

export async function stageJob(job: PreparedJob, state: JobState): Promise<Staged> {
  const { outputDirectory, overwrite } = state.spec;
  const fingerprint = createHash("sha256");
  for (const { checkpoint } of job.headers) fingerprint.update(localFingerprint(checkpoint));
  const staging = await createStaging(outputDirectory, job.plan.output, {
    planDigest: outputDigest(job, state),
    fingerprint: fingerprint.digest("hex"),
    overwrite,
  });
  const found = new Map<string, Promise<GroupStatistic[]>>();
  return {
    staging,
    fresh: new Set(),
    statistics(merge, environment) {
      const finding = found.get(merge.mergeId) ?? candidateStatistics(merge, environment);
      found.set(merge.mergeId, finding);
      finding.catch(() => found.delete(merge.mergeId));
      return finding;
    },
  };
}

export interface WriteContext {
  readonly environment: MergeEnvironment;
  readonly shardClients: ClientPool<typeof ShardService>;
  readonly jobId: string;
}

/** Has one shard of the final candidate merged into the staging directory. Resolves with its segments' digests, synced. */
export async function writeJobShard(
  { staging, fresh, statistics }: Staged,
  job: PreparedJob,
  state: JobState,
  shard: number,
  { environment, shardClients, jobId }: WriteContext,
): Promise<readonly string[]> {
  const merge = job.candidate(state, FINAL_ID);
  const reduced = await statistics(merge, environment);
  const target = {
    stagingDirectory: staging.stagingDir,
    files: staging.layout.files.map(({ name }) => staging.path(name)),
    stagingToken: staging.stamp,
  };
  const result = await writeShard(merge, shard, reduced, target, environment);
  fresh.add(shard);
  if (result.case === "writeDone") return result.value.segmentSha256;
  const held = environment.fleet.held(jobId, merge.mergeId, shard);
  if (held === undefined) throw new AmalgamError("aborted", `shard ${shard} was lost before it could be fetched`);
  const { segments } = job.plan.shards[shard]!;
  const chunks = shardClients
    .get(held.address)
    .fetchShard({ jobId, shard, sha256: held.sha256 }, { signal: environment.signal });
  const digest = createHash("sha256");
  let segment = 0;
  let written = 0;
  for await (const { data } of chunks) {
    digest.update(data);
    for (let at = 0; at < data.length; ) {
      const { outputFile, outputOffset } = segments[segment]!;
      const bytes = job.segmentBytes(shard, segment);
      const count = Math.min(bytes - written, data.length - at);
      await staging.writeRange(
        staging.layout.files[outputFile]!.name,
        Number(outputOffset) + written,
        data.subarray(at, at + count),
      );
      at += count;
      written += count;
      if (written === bytes) {
        segment++;
        written = 0;
      }
    }
  }
  if (digest.digest("hex") !== held.sha256) {
    throw new AmalgamError("aborted", `shard ${shard} arrived with other bytes than its worker merged`);
  }
  await staging.flush();
  return result.value.segmentSha256;
}

/**
 * Seals and renames. The directory appears complete and verified, or not at all.
 * @param analyse what the search has learned
 */
export async function publishJob(
  { staging, statistics, fresh }: Staged,
  job: PreparedJob,
  state: JobState,
  environment: MergeEnvironment,
  analyse: () => Promise<Analysis | undefined>,
): Promise<void> {
  const { signal } = environment;
  const recipe = finalRecipe(job, state);
  const view = job.view(state);
  const added: Record<string, string> = { "amalgam-recipe.yaml": recipe };
  let donor = job.headers[job.plan.donorSlot]!.checkpoint;
  if (makesArtefact(job.plan.recipe)) {
    const merge = job.candidate(state, FINAL_ID);
    const found = await statistics(merge, environment);
    added[artefactName] = artefactDescription(job, found, await contentDigest(donor, { signal }));
    // Config and tokenizer come with the models that are made of it.
    donor = { ...donor, sideFiles: donor.sideFiles.filter(isLicence) };
  } else Object.assign(added, Object.fromEntries(outputTexts(job.plan)));
  if (state.recommended !== undefined) {
    const { type: _, ...recommended } = state.recommended;
    const analysis = await analyse();
    const study = { spec: state.basis!.spec, events: studyEvents(state, job.facts), metric: metricOf(state) };
    const record = { recommended, study, ...(analysis && { analysis }) };
    const { renderReport } = await import("../report/report.ts");
    added["report.html"] = await renderReport(view, { recipe, ...record });
    added[HISTORY_FILE] = searchHistory(view, record);
  }
  await sealAndPublish(staging, {
    pieces: outputPieces(job, state, fresh),
    sideFiles: await collectSideFiles(donor, added, { signal, without: job.plan.tokenizer?.removed }),
    modelCard: modelCard(job.card(state, recipe)),
    provenance: {
      recipe,
      seed: job.plan.recipe.seed,
      versions: versionsOf(state.spec.backend),
      inputs: await job.inputRecords(),
    },
    signal,
  });
}
