// `amalgam plan`: what a recipe would do, without doing it.
import { explainPlan, explanationRows } from "@amalgam/coordinator";
import type { CommandContext } from "../context.ts";
import { checkRecipe, type RecipeFlags } from "./check-recipe.ts";

export async function run(
  context: CommandContext,
  path: string,
  options: RecipeFlags & { readonly shardBytes?: number },
): Promise<void> {
  const { stages } = await checkRecipe(path, options);
  const plans = stages.map(({ stage, plan, tasks }) => ({ stage, explanation: explainPlan(plan, tasks) }));
  if (context.json) {
    const [only, ...more] = plans;
    if (more.length === 0) return context.printJson(only?.explanation);
    return context.printJson({
      stages: plans.map(({ stage, explanation }) => ({ stage: stage.name ?? null, ...explanation })),
    });
  }
  for (const [index, { stage, explanation }] of plans.entries()) {
    if (plans.length > 1) {
      const title = `stage ${index + 1} of ${plans.length}: ${stage.name ?? "the output"}`;
      context.print(index === 0 ? title : `\n${title}`);
    }
    const rows = explanationRows(explanation);
    const width = Math.max(...rows.map(([label]) => label.length));
    for (const [label, text] of rows) context.print(`${label.padEnd(width)}  ${text}`);
  }
}
