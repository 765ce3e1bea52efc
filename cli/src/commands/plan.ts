// `amalgam plan`: what a recipe would do, without doing it.
import { explainPlan, explanationRows, type PlanExplanation, type Stage } from "@amalgam/coordinator";
import type { CommandContext } from "../context.ts";
import { checkRecipe, type RecipeFlags } from "./check-recipe.ts";
import { type Estimate, estimateMerge, estimateText } from "./estimate.ts";

export async function run(
  context: CommandContext,
  path: string,
  options: RecipeFlags & { readonly shardBytes?: number },
): Promise<void> {
  const { stages } = await checkRecipe(path, options);
  const plans: { stage: Stage; explanation: PlanExplanation; estimate: Estimate | undefined }[] = [];
  for (const { stage, plan, tasks } of stages) {
    const explanation = explainPlan(plan, tasks);
    // A stage that reads what an earlier one makes cannot be tried before that is there.
    const estimate = stage.uses.length > 0 ? undefined : await estimateMerge(plan, explanation, context.signal);
    plans.push({ stage, explanation, estimate });
  }
  if (context.json) {
    const [only, ...more] = plans;
    if (more.length === 0) return context.printJson({ ...only?.explanation, estimate: only?.estimate ?? null });
    return context.printJson({
      stages: plans.map(({ stage, explanation, estimate }) => {
        return { stage: stage.name ?? null, ...explanation, estimate: estimate ?? null };
      }),
    });
  }
  for (const [index, { stage, explanation, estimate }] of plans.entries()) {
    if (plans.length > 1) {
      const title = `stage ${index + 1} of ${plans.length}: ${stage.name ?? "the output"}`;
      context.print(index === 0 ? title : `\n${title}`);
    }
    const rows = explanationRows(explanation);
    if (estimate !== undefined) rows.push(["time", estimateText(estimate)]);
    const width = Math.max(...rows.map(([label]) => label.length));
    for (const [label, text] of rows) context.print(`${label.padEnd(width)}  ${text}`);
  }
}
