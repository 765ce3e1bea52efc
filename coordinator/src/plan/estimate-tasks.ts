/** On which task's items the importance of each model is estimated. */
import { estimatedModels, type Recipe, variantsOf } from "../recipe/index.ts";
import { listed } from "../recipe/problems.ts";
import type { TaskInput } from "./tasks.ts";

export interface EstimateTasks {
  /** Names of tasks, in the order of `estimatedModels`. */
  readonly tasks: readonly string[];
  readonly split: string;
  readonly problems: readonly string[];
}

/** Kinds of tasks whose items have answers that can be gone through; without a word of it a task is a classification. */
const WITH_ANSWERS = new Set(["", "classification", "image_classification", "multiple_choice"]);
/** Kinds whose answers are all texts. */
const OPEN_ENDED = new Set(["perplexity", "generation"]);

/**
 * What the recipe says; else the task with the model's name; where no task has the name of any model, the first model has the first
 * task, and so on.
 */
export function estimateTasks(recipe: Recipe, inputs: readonly TaskInput[]): EstimateTasks {
  const { fisher, evaluate } = recipe;
  const models = estimatedModels(recipe, variantsOf(recipe));
  const split = fisher?.split ?? evaluate?.split ?? "";
  if (fisher === undefined || models.length === 0) return { tasks: [], split, problems: [] };
  const byName = new Map(inputs.map((task) => [task.name, task]));
  const byPath = new Map(inputs.map((task) => [task.path, task]));
  const anyNamed = models.some(({ name }) => byName.has(name));
  const problems: string[] = [];
  const found = models.map(({ name }, index): TaskInput | undefined => {
    const written = fisher.tasks[name];
    if (written !== undefined) return byPath.get(written);
    const task = byName.get(name) ?? (anyNamed ? undefined : inputs[index]);
    if (task === undefined)
      problems.push(
        `fisher: model \`${name}\` has no task to estimate its importance on: name one, as in \`tasks: { ${name}: ${inputs[0]?.path} }\` (tasks: ${listed(inputs.map(({ path }) => path))})`,
      );
    return task;
  });
  for (const task of new Set(found)) {
    if (task === undefined) continue;
    if (OPEN_ENDED.has(task.kind) && fisher.estimator === "exact") {
      const hint = "set `estimator` to sampled or empirical";
      problems.push(
        `fisher: ${task.path}: answers of a ${task.kind} task are all texts, and no expectation over them can be exact: ${hint}`,
      );
    } else if (!WITH_ANSWERS.has(task.kind) && !OPEN_ENDED.has(task.kind)) {
      problems.push(
        `fisher: ${task.path}: a ${task.kind} cannot be differentiated: estimate on a task of another kind`,
      );
    }
    if (task.splits.includes(split)) continue;
    problems.push(
      `fisher: ${task.path}: the task has no split \`${split}\` to estimate on (it has ${task.splits.join(", ")}): name one with \`split\``,
    );
  }
  return { tasks: found.map((task) => task?.name ?? ""), split, problems };
}
