/** The tasks that a search names, held against those that the recipe evaluates: their names stand in the task files. */
import type { SearchSection } from "../recipe/index.ts";
import { listed, suggestion } from "../recipe/problems.ts";

export function searchTaskProblems({ objective, constraints }: SearchSection, tasks: readonly string[]): string[] {
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
  return problems;
}
