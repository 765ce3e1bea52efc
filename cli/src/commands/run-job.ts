// `merge` and `search`: check the recipe, start the roles on this machine, submit, watch, sum up.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { totalmem } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { checkOutput } from "@amalgam/checkpoint";
import { type CoordinatorService, type JobView, JobViewSchema } from "@amalgam/proto";
import { AmalgamError, type Client } from "@amalgam/runtime";
import { toJson } from "@bufbuild/protobuf";
import type { CommandContext } from "../context.ts";
import { bestTrial, coefficientText, scoreTable } from "../render/job-text.ts";
import { formatAccuracy, formatBytes, formatDuration } from "../render/units.ts";
import { watchJob } from "../render/watch-job.ts";
import { defaultThreads, type LocalRoles, startLocalRoles } from "../roles/local.ts";
import { startProcesses } from "../roles/processes.ts";
import { checkRecipe } from "./check-recipe.ts";

export interface RunJobOptions {
  readonly overwrite?: boolean;
  readonly threads?: number;
  readonly memory?: number;
  readonly shardBytes?: number;
  readonly processes?: number;
  readonly logLevel: string;
}

export async function runJob(
  context: CommandContext,
  kind: "merge" | "search",
  recipePath: string,
  out: string,
  options: RunJobOptions,
): Promise<void> {
  const startedMs = performance.now();
  const outputDirectory = resolve(out);
  const recipe = await checkRecipe(
    recipePath,
    options.shardBytes === undefined ? {} : { shardBytes: options.shardBytes },
  );
  if (kind === "search" && recipe.plan.recipe.search === undefined) {
    throw new AmalgamError(
      "invalid_argument",
      `${recipe.name}: has no \`search\` section; use \`amalgam merge\` for fixed parameters`,
    );
  }
  await checkOutput(outputDirectory, options.overwrite === true);
  // Beside the output, like the staging directory: the same command finds both again.
  const stateDirectory = join(dirname(outputDirectory), `.${basename(outputDirectory)}.amalgam-journal`);
  const begunHere = !existsSync(stateDirectory);
  let job: JobView;
  try {
    await using roles = await startRoles(context, kind, stateDirectory, options);
    job = await submitAndWatch(context, roles.client, {
      kind,
      recipe: recipe.text,
      recipeName: recipe.name,
      baseDirectory: recipe.baseDirectory,
      outputDirectory,
      overwrite: options.overwrite === true,
      shardBytes: BigInt(options.shardBytes ?? 0),
    });
  } catch (error) {
    if (begunHere && !context.signal.aborted && isHopeless(error))
      await rm(stateDirectory, { recursive: true, force: true });
    throw error;
  }
  await rm(stateDirectory, { recursive: true, force: true });
  if (context.json)
    context.printJson({ done: toJson(JobViewSchema, job), seconds: (performance.now() - startedMs) / 1000 });
  else for (const line of summary(job, out, performance.now() - startedMs)) context.print(line);
}

/** Whether the same command would fail the same way: then there is nothing to resume. */
const isHopeless = (error: unknown): boolean => error instanceof AmalgamError && error.code === "invalid_argument";

function startRoles(
  context: CommandContext,
  kind: "merge" | "search",
  stateDirectory: string,
  { processes, threads = defaultThreads(), memory = Math.floor(totalmem() / 2), logLevel }: RunJobOptions,
): Promise<LocalRoles> {
  const shared = { stateDirectory, threads, memoryBytes: memory, evaluates: kind === "search" };
  if (processes === undefined) return startLocalRoles({ ...shared, log: context.log });
  return startProcesses({ ...shared, workers: processes, logLevel, signal: context.signal });
}

async function submitAndWatch(
  context: CommandContext,
  client: Client<typeof CoordinatorService>,
  request: Parameters<Client<typeof CoordinatorService>["submitJob"]>[0],
): Promise<JobView> {
  const { jobId, resumed } = await client.submitJob(request, { signal: context.signal });
  if (resumed && !context.json) context.print(`going on with job ${jobId}`);
  return watchJob(context, client.watchJob({ jobId }, { signal: context.signal }));
}

function summary(job: JobView, out: string, elapsedMs: number): string[] {
  const lines: string[] = [];
  const table = scoreTable(job);
  if (table.length > 0) {
    const chosen = job.candidates.find(({ role }) => role === "final")!;
    const best = bestTrial(job);
    const trial = job.candidates.find(({ id }) => id === job.recommendedId);
    lines.push(...table, "", `coefficients: ${coefficientText(chosen.coefficients)} (trial ${job.recommendedId})`);
    if (trial && best) {
      lines.push(
        `validation:   ${formatAccuracy(trial.objective, trial.objectiveStandardError)}; chosen by posterior mean, ` +
          `the highest single score was ${formatAccuracy(best.objective, best.objectiveStandardError)} (trial ${best.name})`,
      );
    }
  }
  lines.push(`wrote ${out}: ${formatBytes(Number(job.outputBytes))} of weights in ${formatDuration(elapsedMs)}`);
  if (table.length > 0) lines.push(`report:       ${join(out, "report.html")}`);
  return lines;
}
