// `amalgam plan`: what a recipe would do, without doing it.
import { explainPlan, explanationRows } from "@amalgam/coordinator";
import type { CommandContext } from "../context.ts";
import { checkRecipe, type RecipeFlags } from "./check-recipe.ts";

export async function run(
  context: CommandContext,
  path: string,
  options: RecipeFlags & { readonly shardBytes?: number },
): Promise<void> {
  const { plan, tasks } = await checkRecipe(path, options);
  const explanation = explainPlan(plan, tasks);
  if (context.json) return context.printJson(explanation);
  const rows = explanationRows(explanation);
  const width = Math.max(...rows.map(([label]) => label.length));
  for (const [label, text] of rows) context.print(`${label.padEnd(width)}  ${text}`);
}
