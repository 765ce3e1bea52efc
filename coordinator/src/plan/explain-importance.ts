/** What `amalgam plan` says of importance that is estimated, or left out. */
import { estimatedModels, estimatesIn, variantsOf } from "../recipe/index.ts";
import { estimateTasks } from "./estimate-tasks.ts";
import { formatBytes } from "./format-bytes.ts";
import { GIVEN_DTYPE_BYTES } from "./given.ts";
import type { TaskInput } from "./tasks.ts";
import type { Plan } from "./types.ts";

export interface ImportanceExplanation {
  readonly estimate: "per_trial" | "once" | "none";
  /** On which task's items each model is estimated; empty where nothing is. */
  readonly models: readonly { readonly model: string; readonly task: string }[];
  readonly split: string;
  readonly items: number;
  readonly estimator: string;
  readonly parts: number;
  /** Estimates that the recipe's own merge takes, for each trial where it is searched. */
  readonly estimatesPerMerge: number;
  /** Bytes of one estimate, which an evaluator holds and shard workers fetch; of each part. */
  readonly estimateBytes: number;
}

export function explainedImportance(
  { recipe, tensors }: Plan,
  tasks: readonly TaskInput[],
): { readonly importance?: ImportanceExplanation } {
  const { fisher } = recipe;
  if (fisher === undefined || fisher.estimate === "files") return {};
  const variants = variantsOf(recipe);
  const { tasks: names, split } = estimateTasks(recipe, tasks);
  const elements = tensors
    .filter(({ sources }) => sources.some((source) => source?.given))
    .reduce((sum, tensor) => sum + tensor.elements, 0);
  const { estimate, items, estimator, parts } = fisher;
  return {
    importance: {
      ...{ estimate, split, items, estimator, parts },
      models: estimatedModels(recipe, variants).map(({ name }, index) => ({ model: name, task: names[index] ?? "" })),
      estimatesPerMerge: estimatesIn(recipe, variants[0]!),
      estimateBytes: GIVEN_DTYPE_BYTES * elements,
    },
  };
}

export function importanceRows(importance: ImportanceExplanation): [label: string, text: string][] {
  const { estimate, models, split, items, estimator, parts, estimatesPerMerge, estimateBytes } = importance;
  const rows: [string, string][] = [];
  if (estimate === "none") rows.push(["importance", "none: every weight counts the same"]);
  if (estimate === "per_trial") {
    const many = `${estimatesPerMerge} estimates for each candidate, but for those that another one had`;
    rows.push(["importance", `Fisher information at each candidate's coefficients: ${many}`]);
  } else if (models.length > 0) {
    const where = estimate === "once" ? "at the models" : "at the models, for rows of the comparison";
    rows.push(["importance", `Fisher information ${where}: ${models.length} estimates in all`]);
  }
  if (models.length === 0) return rows;
  const inParts = parts === 1 ? "" : ` in ${parts} parts`;
  const size = `${formatBytes(parts * estimateBytes)} each, held by evaluators`;
  rows.push(["estimates", `${estimator}, on up to ${items} items${inParts} of each model's task (${split}); ${size}`]);
  return [...rows, ...models.map(({ model, task }): [string, string] => ["estimated", `${model} on ${task}`])];
}
