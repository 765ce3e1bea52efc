// `merge` and `search`: check the recipe, start the roles on this machine, submit, watch, sum up.
import { totalmem } from "node:os";
import { join, resolve } from "node:path";
import { checkOutput, isRemote } from "@amalgam/checkpoint";
import {
  deviceNotes,
  evaluationSpec,
  type JobSpec,
  jobIdOf,
  type Plan,
  requireOwnOutput,
  splitReference,
} from "@amalgam/coordinator";
import { AUTO, WASM } from "@amalgam/devices/names";
import type { CoordinatorService, JobView } from "@amalgam/proto";
import { type Client, formatScore, scaleOf } from "@amalgam/runtime";
import { type CommandContext, stoppable } from "../context.ts";
import { jobJson } from "../render/job-json.ts";
import {
  bestTrial,
  claimLine,
  coefficientText,
  constraintsText,
  importanceText,
  scoreTable,
  stoppedText,
} from "../render/job-text.ts";
import { formatBytes, formatDuration } from "../render/units.ts";
import { watchJob } from "../render/watch-job.ts";
import { defaultThreads, type LocalRoles, startLocalRoles } from "../roles/local.ts";
import { startProcesses } from "../roles/processes.ts";
import { type CheckedRecipe, type CheckedStage, checkRecipe, type RecipeText } from "./check-recipe.ts";
import { makeStages } from "./stages.ts";
import { openStateDirectory } from "./state-directory.ts";

export interface RunJobOptions {
  readonly overwrite?: boolean;
  readonly threads?: number;
  readonly memory?: number;
  readonly shardBytes?: number;
  readonly digestInputs?: boolean;
  /** A back-end, or "auto". */
  readonly backend: string;
  readonly provider: string;
  readonly allowCommands?: boolean;
  readonly processes?: number;
  /** Where the models of a recipe's earlier stages are made and kept; by default they are removed. */
  readonly stages?: string;
  readonly logLevel: string;
}

/** Room for three shards: one whose inputs are read, one that is merged, one that is written. */
const MERGE_BYTES_PER_THREAD = 174 * 2 ** 20;

export function runJob(
  context: CommandContext,
  kind: "merge" | "search",
  source: string | RecipeText,
  out: string,
  options: RunJobOptions,
): Promise<void> {
  return stoppable(context, "stopped; run the same command again to go on", async () => {
    const startedMs = performance.now();
    const outputDirectory = resolve(out);
    const { overwrite = false, digestInputs = false } = options;
    const recipe = await checkRecipe(source, { ...options, kind });
    if (kind === "search") await requireScorable(recipe.stages.at(-1)!, options.allowCommands ?? false);
    const fitting = fittingShardBytes(recipe, options);
    const shardBytes = fitting ?? 0;
    const { text, name: recipeName, baseDirectory } = recipe;
    for (const { stage, headers } of recipe.stages) {
      const inputs = headers.filter(({ slot }) => !stage.uses.includes(splitReference(slot.path).base));
      await requireOwnOutput(inputs, outputDirectory);
    }
    const state = await openStateDirectory(outputDirectory);
    const kept = options.stages === undefined ? join(state.path, "stages") : resolve(options.stages);
    const stagesDirectory = recipe.stages.length > 1 ? kept : "";
    const backend = await chooseBackend(context, options);
    if (backend !== WASM && !context.json)
      for (const note of new Set(recipe.stages.flatMap(({ plan }) => deviceNotes(plan)))) context.print(note);
    const asked = { recipeName, baseDirectory, shardBytes, digestInputs, stagesDirectory, backend };
    // What stands at the output of a job that was begun may be its own; the coordinator knows.
    if (state.isNew) await state.guard(() => checkOutput(outputDirectory, overwrite));
    const job = await state.guard(async () => {
      const memory = options.memory ?? defaultMemoryBytes(kind, recipe, options.threads);
      const evaluates = kind === "search" || recipe.stages.some(({ plan }) => needsEvaluators(plan));
      await using roles = await startRoles(context, state.path, { ...options, backend, memory, evaluates });
      await makeStages(context, recipe, stagesDirectory, fitting, async (stage, output) => {
        const spec: JobSpec = { kind: "merge", recipe: stage, outputDirectory: output, overwrite: false, ...asked };
        await submitAndWatch(context, roles.client, spec);
      });
      const spec: JobSpec = { kind, recipe: text, outputDirectory, overwrite, ...asked };
      // Awaited here: the roles are disposed of at the end of this block.
      return await submitAndWatch(context, roles.client, spec);
    });
    await state.remove();
    const elapsedMs = performance.now() - startedMs;
    if (context.json) context.printJson({ done: jobJson(job), seconds: elapsedMs / 1000 });
    else for (const line of summary(job, out, elapsedMs)) context.print(line);
  });
}

/** Measures when asked for "auto": the job is of one back-end, which its manifest names. */
async function chooseBackend(
  context: CommandContext,
  { backend, threads = defaultThreads() }: RunJobOptions,
): Promise<string> {
  if (backend !== AUTO) return backend;
  const { resolveBackend } = await import("@amalgam/devices");
  const chosen = await resolveBackend(backend, threads);
  if (!context.json) context.print(`back-end ${chosen}`);
  return chosen;
}

/** Whether a merge is made with estimates of importance. */
const needsEvaluators = ({ variants }: Plan): boolean => variants.some(({ variant }) => variant.role === "estimated");

/** Whether the tasks fit the model is told before any work: each trial would fail for it. */
async function requireScorable({ plan, headers, tasks, graph }: CheckedStage, allowCommands: boolean): Promise<void> {
  const { bytes } = await evaluationSpec(plan, headers, { tasks, graph });
  const { checkEvaluationSpec } = await import("@amalgam/evaluator");
  checkEvaluationSpec(bytes, allowCommands);
}

function startRoles(
  context: CommandContext,
  stateDirectory: string,
  {
    processes,
    threads = defaultThreads(),
    memory,
    backend,
    provider,
    allowCommands = false,
    logLevel,
    evaluates,
  }: RunJobOptions & { readonly memory: number; readonly evaluates: boolean },
): Promise<LocalRoles> {
  const shared = { stateDirectory, threads, memoryBytes: memory, backend, provider, allowCommands, evaluates };
  if (processes === undefined) return startLocalRoles({ ...shared, log: context.log });
  return startProcesses({ ...shared, workers: processes, logLevel, signal: context.signal });
}

/**
 * A merge streams. A search keeps its inputs in memory, from one trial to the next, and so does a merge of several passes over
 * remote inputs: what it cannot keep would cost the network again.
 */
function defaultMemoryBytes(kind: "merge" | "search", { stages }: CheckedRecipe, threads = defaultThreads()): number {
  const half = Math.floor(totalmem() / 2);
  const files = stages.flatMap(({ headers }) => headers.flatMap(({ checkpoint }) => checkpoint.files));
  const keeps = kind === "search" || files.some(({ path }) => isRemote(path));
  return keeps ? half : Math.min(half, threads * MERGE_BYTES_PER_THREAD);
}

/** Where the memory that was asked for has no room for a shard a thread: smaller shards. Undefined: as the planner cuts them. */
function fittingShardBytes({ stages }: CheckedRecipe, options: RunJobOptions): number | undefined {
  const { memory, shardBytes, threads = defaultThreads() } = options;
  if (memory === undefined || shardBytes !== undefined) return shardBytes;
  // A quarter is for the kernels' work areas.
  const room = (0.75 * memory) / threads;
  const largest = stages.map(({ plan }) => plan.totals.largestShardInputBytes + plan.totals.largestShardOutputBytes);
  if (Math.max(...largest) <= room) return undefined;
  const output = stages.map(({ plan }) => plan.totals.outputBytes / Math.max(1, plan.totals.inputBytes));
  return Math.max(1, Math.floor(room / (1 + Math.max(...output))));
}

async function submitAndWatch(
  context: CommandContext,
  client: Client<typeof CoordinatorService>,
  spec: JobSpec,
): Promise<JobView> {
  const { signal } = context;
  // The journal beside an output is of this output alone: what else is in it came from a recipe that has changed since.
  for (const { jobId, state } of (await client.listJobs({}, { signal })).jobs) {
    if (jobId === jobIdOf(spec) || ["done", "failed", "cancelled"].includes(state)) continue;
    await client.cancelJob({ jobId }, { signal });
    if (!context.json) context.print("the recipe or an option has changed since the last run: starting anew");
  }
  const { jobId, resumed } = await client.submitJob({ ...spec, shardBytes: BigInt(spec.shardBytes) }, { signal });
  if (resumed && !context.json) context.print(`going on with job ${jobId}`);
  return watchJob(context, client.watchJob({ jobId }, { signal }));
}

const chosenBy = (origin: string): string =>
  ["alone", "soup"].includes(origin) ? "the greedy soup" : "chosen by posterior mean";

const formatInterval = (metric: string, { low, high }: { readonly low: number; readonly high: number }): string =>
  scaleOf(metric).interval(low, high);

function summary(job: JobView, out: string, elapsedMs: number): string[] {
  const lines: string[] = [];
  const table = scoreTable(job);
  if (table.length > 0) {
    const chosen = job.candidates.find(({ role }) => role === "final")!;
    const best = bestTrial(job);
    const trial = job.candidates.find(({ id }) => id === job.recommendedId);
    lines.push("", ...table, "", `coefficients  ${coefficientText(chosen.coefficients)} (trial ${job.recommendedId})`);
    if (trial && best) {
      const highest =
        best.id === trial.id
          ? ""
          : `; the highest score was ${formatScore(job.metric, best.objective, best.objectiveStandardError)} (trial ${best.name})`;
      lines.push(
        `${trial.scores[0]!.split.padEnd(12)}  ${formatScore(job.metric, trial.objective, trial.objectiveStandardError)}, ${chosenBy(trial.origin)}${highest}`,
      );
    }
    const [leader] = job.leaders;
    if (leader?.probabilityBest !== undefined) {
      lines.push(
        `expected      ${formatScore(job.metric, leader.mean, leader.standardDeviation)}, 95 % of it from ${formatInterval(job.metric, leader)}; the best of all trials with ${Math.round(100 * leader.probabilityBest)} %`,
      );
    }
    const importance = importanceText(job);
    if (importance !== undefined) lines.push(`importance    ${importance}`);
    const kept = constraintsText(job);
    if (kept !== undefined) lines.push(`constraints   ${kept}`);
    const stopped = stoppedText(job);
    if (stopped !== undefined) lines.push(`stopped       ${stopped}`);
    const claim = claimLine(job);
    if (claim !== undefined) lines.push(`${(chosen.scores[0]?.split ?? "").padEnd(12)}  ${claim}`);
    lines.push(`report        ${join(out, "report.html")}`);
  }
  lines.push(`wrote ${out}: ${formatBytes(Number(job.outputBytes))} of weights in ${formatDuration(elapsedMs)}`);
  return lines;
}
