// From merged shards to a published model: the staging directory, shards written into it by workers (or fetched from those
// that cannot reach it), and the final seal with side files, card, report and manifest.
import { createHash } from "node:crypto";
import {
  collectSideFiles,
  createStaging,
  findPublished,
  modelCard,
  openFileSource,
  type Staging,
  sealAndPublish,
  sha256Range,
} from "@amalgam/checkpoint";
import { graphText } from "@amalgam/kernels";
import type { ShardService } from "@amalgam/proto";
import { AmalgamError, type ClientPool } from "@amalgam/runtime";
import { FINAL_ID } from "../job/decide.ts";
import type { JobState } from "../job/state.ts";
import { stringifyRecipe, withCoefficients } from "../recipe/index.ts";
import { searchHistory } from "../report/history.ts";
import { VERSIONS } from "../versions.ts";
import { candidateStatistics, type GroupStatistic, type MergeEnvironment, writeShard } from "./merge-candidate.ts";
import { outputConfig } from "./output-config.ts";
import type { PreparedJob } from "./prepared-job.ts";

/** The staging directory of a job and what its shards have in common. */
export interface Staged {
  readonly staging: Staging;
  /** Statistics of the final candidate, found once. */
  statistics(find: () => Promise<GroupStatistic[]>): Promise<GroupStatistic[]>;
}

/** The recipe with the coefficients that are published; `amalgam merge` of it gives the same weights. */
export const finalRecipe = (job: PreparedJob, state: JobState): string =>
  stringifyRecipe(withCoefficients(job.plan.recipe, state.recommended?.coefficients ?? {}));

/** Digest of all that decides the published weights. */
async function stagingDigest(job: PreparedJob, state: JobState): Promise<string> {
  const decisive = createHash("sha256").update(finalRecipe(job, state));
  for (const { identityDigest, files } of await job.inputRecords()) {
    // It covers what is beside the weights and changes them: an adapter's scaling.
    decisive.update(`\n${identityDigest}`);
    for (const { sha256 } of files) decisive.update(`\n${sha256}`);
  }
  for (const file of job.plan.output.files) decisive.update(file.header);
  for (const { graph } of job.plan.variants[0]!.groups) decisive.update(graphText(graph));
  return decisive.digest("hex");
}

/** Whether the output is there already: an earlier life of the coordinator ended between the rename and its journal entry. */
export async function isPublished(job: PreparedJob, state: JobState): Promise<boolean> {
  return (await findPublished(state.spec.outputDirectory, await stagingDigest(job, state))) !== undefined;
}

export async function stageJob(job: PreparedJob, state: JobState): Promise<Staged> {
  const { spec } = state;
  const planDigest = await stagingDigest(job, state);
  const staging = await createStaging(spec.outputDirectory, job.plan.output, { planDigest, overwrite: spec.overwrite });
  let found: Promise<GroupStatistic[]> | undefined;
  return { staging, statistics: (find) => (found ??= find()) };
}

export interface WriteContext {
  readonly environment: MergeEnvironment;
  readonly shardClients: ClientPool<typeof ShardService>;
  readonly jobId: string;
}

/** Has one shard of the final candidate merged into the staging directory. Resolves with its segments' digests, synced. */
export async function writeJobShard(
  { staging, statistics }: Staged,
  job: PreparedJob,
  state: JobState,
  shard: number,
  { environment, shardClients, jobId }: WriteContext,
): Promise<readonly string[]> {
  const merge = job.candidate(state, FINAL_ID);
  const reduced = await statistics(() => candidateStatistics(merge, environment));
  const target = {
    stagingDirectory: staging.stagingDir,
    files: staging.layout.files.map(({ name }) => staging.path(name)),
    stagingToken: staging.planDigest,
  };
  const result = await writeShard(merge, shard, reduced, target, environment);
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

/** Seals and renames. The directory appears complete and verified, or not at all. */
export async function publishJob(
  { staging }: Staged,
  job: PreparedJob,
  state: JobState,
  signal: AbortSignal,
): Promise<void> {
  const recipe = finalRecipe(job, state);
  const view = job.view(state);
  const added: Record<string, string> = { "amalgam-recipe.yaml": recipe };
  const config = outputConfig(job.plan);
  if (config !== undefined) added["config.json"] = config;
  if (state.recommended !== undefined) {
    const { renderReport } = await import("../report/report.ts");
    added["report.html"] = await renderReport(view, { recipe, recommended: state.recommended });
    added["search.json"] = searchHistory(view, state.recommended);
  }
  const donor = job.headers[job.plan.donorSlot]!.checkpoint;
  await sealAndPublish(staging, {
    tensorDigests: await tensorDigests(staging, job, state, signal),
    sideFiles: await collectSideFiles(donor, added, { signal }),
    modelCard: modelCard(job.card(state, recipe)),
    provenance: { recipe, seed: job.plan.recipe.seed, versions: VERSIONS, inputs: await job.inputRecords() },
    signal,
  });
}

/**
 * The digest of every tensor's merged bytes: that of its only segment, or, for a tensor that was cut, of the staged bytes
 * after each of its segments was found to be what its worker merged.
 */
async function tensorDigests(
  staging: Staging,
  job: PreparedJob,
  state: JobState,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const cut = new Map<string, { offset: number; bytes: number; sha256: string }[]>();
  for (const { index, segments } of job.plan.shards) {
    for (const [position, segment] of segments.entries()) {
      const sha256 = state.written.get(index)![position]!;
      const bytes = job.segmentBytes(index, position);
      const { begin, end } = staging.locate(segment.tensor);
      if (bytes === end - begin) digests.set(segment.tensor, sha256);
      else {
        const pieces = cut.get(segment.tensor) ?? [];
        pieces.push({ offset: Number(segment.outputOffset), bytes, sha256 });
        cut.set(segment.tensor, pieces);
      }
    }
  }
  for (const [tensor, pieces] of cut) {
    const { file, begin, end } = staging.locate(tensor);
    await using source = await openFileSource(staging.path(file));
    for (const { offset, bytes, sha256 } of pieces) {
      if ((await sha256Range(source, offset, offset + bytes, { signal })) === sha256) continue;
      throw new AmalgamError(
        "data_loss",
        `${file}: tensor "${tensor}": the staged bytes are not those that were merged; run again`,
      );
    }
    digests.set(tensor, await sha256Range(source, begin, end, { signal }));
  }
  for (const { name, elements } of job.plan.tensors) {
    if (elements === 0) digests.set(name, createHash("sha256").digest("hex"));
  }
  return digests;
}
