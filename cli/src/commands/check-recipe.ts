// Reads a recipe and everything it names before any work: headers, tasks. Every problem at once.
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import {
  loadPlanInputs,
  type Plan,
  PlanProblems,
  parseRecipe,
  planJob,
  requireJobKind,
  withOverrides,
} from "@amalgam/coordinator";
import { AmalgamError, toAmalgamError } from "@amalgam/runtime";

type PlanInputs = Awaited<ReturnType<typeof loadPlanInputs>>;

export interface RecipeText {
  readonly text: string;
  /** For messages. */
  readonly name: string;
  /** Where relative paths start from. */
  readonly baseDirectory: string;
}

export interface CheckedRecipe extends RecipeText {
  readonly plan: Plan;
  readonly headers: PlanInputs["headers"];
  readonly tasks: PlanInputs["tasks"];
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
  const recipe = parseRecipe(text, { fileName: name });
  if (kind !== undefined) requireJobKind(recipe, kind, name);
  const problems: string[] = [];
  if (recipe.evaluate !== undefined) {
    // The evaluator holds task files to stricter rules than the coordinator, which only hands them on.
    const { EvaluatorError, loadTasks } = await import("@amalgam/evaluator");
    try {
      await loadTasks(recipe.evaluate.tasks.map((task) => resolve(baseDirectory, task)));
    } catch (error) {
      if (!(error instanceof EvaluatorError)) throw error;
      problems.push(...error.problems);
    }
  }
  try {
    // Tasks with problems are not read again, or each problem would be told twice.
    const { evaluate } = recipe;
    const readable =
      problems.length === 0 || evaluate === undefined ? recipe : { ...recipe, evaluate: { ...evaluate, tasks: [] } };
    const { headers, tasks, tokenizer } = await loadPlanInputs(readable, baseDirectory);
    const plan = planJob({ recipe, headers, tokenizer, ...(shardBytes === undefined ? {} : { shardBytes }) });
    if (problems.length === 0) return { text, name, baseDirectory, plan, headers, tasks };
  } catch (error) {
    if (!(error instanceof PlanProblems)) throw error;
    problems.push(...error.problems);
  }
  throw new PlanProblems(problems);
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
