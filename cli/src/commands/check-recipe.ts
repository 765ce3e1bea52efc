// Reads a recipe and everything it names before any work: headers, tasks, the output directory. Every problem at once.
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { loadPlanInputs, type Plan, PlanProblems, parseRecipe, planJob } from "@amalgam/coordinator";
import { AmalgamError } from "@amalgam/runtime";

export interface CheckedRecipe {
  readonly text: string;
  readonly name: string;
  readonly baseDirectory: string;
  readonly plan: Plan;
  readonly tasks: Awaited<ReturnType<typeof loadPlanInputs>>["tasks"];
}

/** @throws RecipeProblems, PlanProblems or EvaluatorError with all that keeps the recipe from being run */
export async function checkRecipe(
  path: string,
  options: { readonly shardBytes?: number } = {},
): Promise<CheckedRecipe> {
  const { text, name, baseDirectory } = await readRecipe(path);
  const recipe = parseRecipe(text, { fileName: name });
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
    const { headers, tasks } = await loadPlanInputs(recipe, baseDirectory);
    const plan = planJob({ recipe, headers, ...options });
    if (problems.length === 0) return { text, name, baseDirectory, plan, tasks };
  } catch (error) {
    if (!(error instanceof PlanProblems)) throw error;
    problems.push(...error.problems.filter((problem) => !problems.includes(problem)));
  }
  throw new PlanProblems(problems);
}

export async function readRecipe(path: string): Promise<{ text: string; name: string; baseDirectory: string }> {
  try {
    const text = await readFile(path, "utf8");
    return { text, name: basename(path), baseDirectory: resolve(dirname(path)) };
  } catch (error) {
    throw new AmalgamError("not_found", `${path}: cannot read the recipe (${(error as Error).message})`, {
      cause: error,
    });
  }
}
