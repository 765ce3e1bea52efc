/** The tasks that a search names, held against those that the recipe evaluates: their names stand in the task files. */
import type { SearchSection } from "../recipe/index.ts";
import { listed, suggestion } from "../recipe/problems.ts";
import type { TaskInput } from "./tasks.ts";

export function searchTaskProblems(
  search: SearchSection,
  evaluated: readonly Pick<TaskInput, "name" | "kind">[],
): string[] {
  const { objective, constraints } = search;
  const tasks = evaluated.map(({ name }) => name);
  const unknown = (where: string, name: string): string =>
    `search: ${where} names the task \`${name}\`, which the recipe does not evaluate${suggestion(name, tasks)} (tasks: ${listed(tasks)})`;
  const weighted = objective.weights === undefined ? [] : Object.keys(objective.weights);
  const problems = weighted.filter((name) => !tasks.includes(name)).map((name) => unknown("`objective`", name));
  const missing = objective.weights === undefined ? [] : tasks.filter((task) => !weighted.includes(task));
  if (missing.length > 0 && problems.length === 0) {
    problems.push(`search: \`weights\` of \`objective\` need every task: add ${listed(missing)} (0 leaves a task out)`);
  }
  for (const { task } of constraints) {
    if (task !== undefined && !tasks.includes(task)) problems.push(unknown("`constraints`", task));
  }
  if (objective.kind === "pareto" && tasks.length < 2) {
    problems.push("search: `objective: pareto` trades tasks off against each other, and the recipe evaluates one");
  }
  return [...problems, ...kindProblems(search, evaluated)];
}

/** What a task's kind has no number for. */
function kindProblems(
  { objective, constraints, racing }: SearchSection,
  evaluated: readonly Pick<TaskInput, "name" | "kind">[],
): string[] {
  return evaluated.flatMap(({ name, kind }) => {
    const problems: string[] = [];
    if (kind === "perplexity" && objective.normalised) {
      problems.push(
        `search: \`normalised\` of \`objective\` divides by the experts' scores, and that of the perplexity task \`${name}\` is a log-likelihood, below 0`,
      );
    }
    if (kind === "perplexity" && constraints.some((each) => each.kind === "at_least" && (each.task ?? name) === name)) {
      problems.push(
        `search: a bound from 0 to 1 says nothing of the perplexity task \`${name}\`: use \`loses_at_most\`, in nats a token`,
      );
    }
    if (kind === "command" && racing) {
      problems.push(
        `search: \`racing\` scores trials on some items first, and task \`${name}\` runs a command, which scores all: leave \`racing\` out`,
      );
    }
    return problems;
  });
}
