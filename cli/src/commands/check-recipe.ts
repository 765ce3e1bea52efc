// Reads a recipe and everything it names before any work: headers, tasks. Every problem at once, of all its stages.
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import {
  loadPlanInputs,
  type Plan,
  PlanProblems,
  parseStages,
  planJob,
  plannedCheckpoint,
  type Recipe,
  requireJobKind,
  type Stage,
  type StageModels,
  withOverrides,
} from "@amalgam/coordinator";
import { AmalgamError, toAmalgamError } from "@amalgam/runtime";

type PlanInputs = Awaited<ReturnType<typeof loadPlanInputs>>;

/** One merge of a recipe, planned. */
export interface CheckedStage {
  readonly stage: Stage;
  readonly plan: Plan;
  readonly headers: PlanInputs["headers"];
  readonly tasks: PlanInputs["tasks"];
  readonly graph: PlanInputs["graph"] | undefined;
}

export interface RecipeText {
  readonly text: string;
  /** For messages. */
  readonly name: string;
  /** Where relative paths start from. */
  readonly baseDirectory: string;
}

export interface CheckedRecipe extends RecipeText {
  /** In the order in which they are merged; the output is the last. What a stage makes is known to the next as it is planned. */
  readonly stages: readonly [CheckedStage, ...CheckedStage[]];
}

/** What the command line says of a recipe's keys. */
export interface RecipeFlags {
  readonly mergekitArithmetic?: boolean;
  readonly randomSeed?: number;
}

export interface CheckOptions extends RecipeFlags {
  /** What the recipe must be fit for; a plan may be made of either. */
  readonly kind?: "merge" | "search";
  readonly shardBytes?: number | undefined;
}

/**
 * @param source path of a recipe, or its text
 * @throws RecipeProblems or PlanProblems with all that keeps the recipe from being run
 */
export async function checkRecipe(source: string | RecipeText, options: CheckOptions = {}): Promise<CheckedRecipe> {
  const { kind, shardBytes } = options;
  const { text, name, baseDirectory } = typeof source === "string" ? await readRecipe(source, options) : source;
  const parsed = parseStages(text, { fileName: name });
  const stages: CheckedStage[] = [];
  const made = new Map<string, CheckedStage>();
  const failures: PlanProblems[] = [];
  for (const stage of parsed) {
    // Only the output may be searched: what it is made of is merged as it stands.
    const asked = stage === parsed.at(-1) ? kind : "merge";
    if (asked !== undefined) requireJobKind(stage.recipe, asked, name);
    if (!stage.uses.every((used) => made.has(used))) continue;
    try {
      const checked = await checkStage(stage, baseDirectory, plannedModels(stage, made), shardBytes);
      stages.push(checked);
      if (stage.name !== undefined) made.set(stage.name, checked);
    } catch (error) {
      if (!(error instanceof PlanProblems)) throw error;
      const of = stage.name === undefined ? "" : `stage ${stage.name}: `;
      failures.push(
        new PlanProblems(
          error.problems.map((problem) => of + problem),
          error.code,
        ),
      );
    }
  }
  const [first, ...more] = stages;
  if (failures.length > 0 || first === undefined) throw together(failures);
  return { text, name, baseDirectory, stages: [first, ...more] };
}

/** What the stages that a stage uses will make. */
function plannedModels({ recipe, uses }: Stage, made: ReadonlyMap<string, CheckedStage>): StageModels {
  return new Map(
    uses.map((name) => {
      const { plan, headers } = made.get(name) as CheckedStage;
      const planned = plannedCheckpoint(plan, headers, `stage ${name}`);
      if (recipe.tokenizer === undefined) return [name, planned];
      if (plan.tokenizer !== undefined) {
        const remedy = `publish \`${name}\` by a recipe of its own first`;
        throw new PlanProblems([
          `its tokenizer would be made of that of \`${name}\`, which is not there yet: ${remedy}`,
        ]);
      }
      // The tokenizer is read from where it will be copied from.
      return [name, { ...planned, root: plan.roots[plan.donorSlot] as string }];
    }),
  );
}

/** `made` are the stages that it may use, by name. */
export async function checkStage(
  stage: Stage,
  baseDirectory: string,
  made: StageModels,
  shardBytes: number | undefined,
): Promise<CheckedStage> {
  const { recipe } = stage;
  const problems = await taskProblems(recipe, baseDirectory);
  const failures = problems.length === 0 ? [] : [new PlanProblems(problems)];
  try {
    // Tasks with problems are not read again, or each problem would be told twice.
    const { evaluate } = recipe;
    const readable =
      problems.length === 0 || evaluate === undefined ? recipe : { ...recipe, evaluate: { ...evaluate, tasks: [] } };
    const { headers, tasks, graph, tokenizer } = await loadPlanInputs(readable, baseDirectory, { stages: made });
    const plan = planJob({ recipe, headers, tokenizer, ...(shardBytes === undefined ? {} : { shardBytes }) });
    if (problems.length === 0) return { stage, plan, headers, tasks, graph };
  } catch (error) {
    if (!(error instanceof PlanProblems)) throw error;
    failures.push(error);
  }
  throw together(failures);
}

/** Sources that are out of reach are told as such where nothing else is wrong. */
const together = (failures: readonly PlanProblems[]): PlanProblems =>
  new PlanProblems(
    failures.flatMap(({ problems }) => problems),
    failures.every(({ code }) => code === "unavailable") ? "unavailable" : "invalid_argument",
  );

/** The evaluator holds task files to stricter rules than the coordinator, which only hands them on. */
async function taskProblems({ evaluate }: Recipe, baseDirectory: string): Promise<string[]> {
  if (evaluate === undefined) return [];
  const { EvaluatorError, loadTasks } = await import("@amalgam/evaluator");
  try {
    await loadTasks(evaluate.tasks.map((task) => resolve(baseDirectory, task)));
    return [];
  } catch (error) {
    if (!(error instanceof EvaluatorError)) throw error;
    return [...error.problems];
  }
}

export async function readRecipe(
  path: string,
  { mergekitArithmetic, randomSeed }: RecipeFlags = {},
): Promise<RecipeText> {
  try {
    const overrides = { arithmetic: mergekitArithmetic ? ("mergekit" as const) : undefined, seed: randomSeed };
    const text = withOverrides(await readFile(path, "utf8"), overrides);
    return { text, name: basename(path), baseDirectory: resolve(dirname(path)) };
  } catch (error) {
    const { code } = toAmalgamError(error);
    const reason = code === "not_found" ? "there is no such file" : (error as Error).message;
    throw new AmalgamError(code, `${path}: cannot read the recipe: ${reason}`, { cause: error });
  }
}
