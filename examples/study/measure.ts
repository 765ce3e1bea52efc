// Runs one entry on one family by `amalgam search`, as a user would, and reads what it says.
import { spawn } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Entry, estimate } from "./entries.ts";
import { type Family, repository, scratch } from "./families.ts";
import type { Measured, TaskScores } from "./results.ts";
import { tasksWithShare } from "./share.ts";

const MAIN = join(repository, "cli/src/main.ts");

/** A row of the final table, beside what a search finds. */
export interface Compared {
  readonly name: string;
  readonly merge_method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly weights?: Readonly<Record<string, number>>;
}

interface Candidate {
  readonly role: string;
  readonly name: string;
  readonly state: string;
  readonly objective: number;
  readonly problem: string;
  readonly coefficients: Readonly<Record<string, number>>;
  readonly scores: readonly { readonly task: string; readonly score?: number; readonly accuracy?: number }[];
  readonly publishedMinusThis?: { readonly difference: number; readonly standardError: number };
}

interface SearchFile {
  readonly recommended: { readonly candidateId: string; readonly coefficients: Readonly<Record<string, number>> };
  readonly candidates: readonly (Candidate & { readonly id: string })[];
}

export interface Searched {
  readonly measured: Measured;
  readonly compared: readonly Measured[];
}

/** @throws Error when the search fails, with what it printed */
export async function runSearch(
  family: Family,
  entry: Entry,
  { trials, compare }: { readonly trials: number; readonly compare: readonly Compared[] },
): Promise<Searched> {
  const name = `${family.name}-${family.seed}-${entry.name.replaceAll(/[^a-zA-Z0-9]+/g, "-")}`;
  const [recipe, output] = [join(scratch, "recipes", `${name}.yaml`), join(scratch, "merged", name)];
  await mkdir(join(scratch, "recipes"), { recursive: true });
  await mkdir(join(scratch, "merged"), { recursive: true });
  const tasks = await tasksWithShare(family.name, family.directory, family.tasks, entry.share ?? 1);
  await writeFile(recipe, JSON.stringify(recipeOf(family, entry, { tasks, trials, compare }), undefined, 1));
  await rm(output, { recursive: true, force: true });
  const seconds = await amalgam(["search", recipe, output, "--overwrite"]);
  const file = JSON.parse(await readFile(join(output, "search.json"), "utf8")) as SearchFile;
  return readSearch(family, entry, file, seconds);
}

interface RecipeOptions {
  /** Paths of the task files. */
  readonly tasks: readonly string[];
  readonly trials: number;
  readonly compare: readonly Compared[];
}

/** As the YAML of a recipe has it; JSON is YAML. */
export function recipeOf(
  { directory, tasks: models, seed }: Family,
  entry: Entry,
  { tasks, trials, compare }: RecipeOptions,
): Record<string, unknown> {
  const needsFisher = compare.some(({ merge_method }) => merge_method === "fisher" || merge_method === "df_merge");
  const fisher = entry.fisher ?? (needsFisher ? { estimate: "once", ...estimate } : undefined);
  return {
    merge_method: entry.merge_method,
    base_model: join(directory, "base"),
    models: models.map((task) => ({ model: join(directory, `expert-${task}`), name: task })),
    parameters: entry.parameters,
    ...(fisher && { fisher }),
    seed: seed + 1,
    evaluate: {
      tasks,
      split: "validation",
      confirm: "test",
      ...(compare.length > 0 && { compare: ["models", ...compare] }),
    },
    search: { trials: entry.trials ?? trials, parallel: 2, coefficients: entry.coefficients },
  };
}

function readSearch({ name, seed }: Family, entry: Entry, file: SearchFile, seconds: number): Searched {
  const trials = file.candidates.filter(({ role }) => role === "trial");
  const row = (candidate: Candidate, called: string): Measured => {
    if (candidate.state !== "scored") throw new Error(`${called} was not scored: ${candidate.problem}`);
    const scores: TaskScores = Object.fromEntries(
      candidate.scores.map(({ task, score, accuracy }) => [task, score ?? accuracy!]),
    );
    return { family: name, seed, entry: called, scores, mean: candidate.objective };
  };
  const final = file.candidates.find(({ role }) => role === "final")!;
  const chosen = trials.find(({ id }) => id === file.recommended.candidateId)!;
  return {
    measured: {
      ...row(final, entry.name),
      validation: chosen.objective,
      coefficients: file.recommended.coefficients,
      curve: trials.map(({ state, objective }) => (state === "scored" ? objective : 0)),
      seconds,
    },
    compared: file.candidates
      .filter(({ role }) => role === "comparison")
      .map((candidate) => ({ ...row(candidate, candidate.name), behind: candidate.publishedMinusThis })),
  };
}

/** Seconds that the command took. */
function amalgam(args: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve((performance.now() - startedMs) / 1000);
      else reject(new Error(`amalgam ${args.join(" ")} ended with ${code}:\n${said.slice(-4000)}`));
    });
  });
}
