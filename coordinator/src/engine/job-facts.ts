// What recipe and plan fix about a job, as its decisions and whoever looks at it need it.
import type { JobSpec, ViewFacts } from "../job/events.ts";
import { confirmSplit, type Plan, type TaskInput } from "../plan/index.ts";
import { estimatesIn, FISHER, type RecipeVariant } from "../recipe/index.ts";

/** Trials that race are judged after an eighth of the items, a quarter and a half. */
const LOOKS = [1, 2, 4, 8] as const;

const comparisonId = (index: number): string => `c${index}`;
const expertId = (index: number): string => `e${index}`;

export function jobFacts(spec: JobSpec, plan: Plan, tasks: readonly TaskInput[]): ViewFacts {
  const { recipe, variants } = plan;
  const { search, evaluate } = recipe;
  const namesOf = (role: RecipeVariant["role"]): string[] =>
    variants.flatMap(({ variant }) => (spec.kind === "search" && variant.role === role ? [variant.name] : []));
  const comparisonNames = namesOf("comparison");
  const experts = namesOf("expert").map((name, index) => ({ id: expertId(index), name }));
  return {
    kind: spec.kind,
    trials: search?.trials ?? 0,
    parallel: search?.parallel ?? 1,
    ...(search?.strategy === "greedy_soup" ? { firstTrials: recipe.models.length } : {}),
    tasks: tasks.map(({ name }) => name),
    ...(search?.racing ? { looks: LOOKS } : {}),
    ...(experts.length === 0 ? {} : { experts }),
    comparisons: comparisonNames.map((_, index) => comparisonId(index)),
    comparisonNames,
    variantName: variants[0]!.variant.name,
    ...importanceFacts(plan),
    shards: plan.shards.length,
    method: recipe.method,
    inputBytes: plan.totals.inputBytes,
    outputBytes: plan.totals.outputBytes,
    split: evaluate?.split ?? "",
    confirmSplit: evaluate === undefined ? "" : confirmSplit(evaluate, tasks),
  };
}

function importanceFacts({ recipe, variants, slots }: Plan): Pick<ViewFacts, "importance"> {
  if (!slots.some(({ companion }) => companion?.kind === FISHER)) return {};
  const rows = variants.filter(({ variant }) => variant.role === "comparison");
  return {
    importance: {
      estimate: recipe.fisher?.estimate ?? "files",
      own: estimatesIn(recipe, variants[0]!.variant),
      comparisons: rows.map(({ variant }) => estimatesIn(recipe, variant)),
    },
  };
}
