// The recipes of the benchmark: each of mergekit's methods on the checkpoints that make-checkpoints.ts makes.

export interface BenchRecipe {
  readonly name: string;
  readonly yaml: string;
  /** Directories under `models`. */
  readonly inputs: readonly string[];
}

interface Shape {
  readonly method: string;
  readonly base?: boolean;
  /** Number of experts. */
  readonly experts: number;
  /** Parameters of each model, and of the merge. */
  readonly each?: string;
  readonly merge?: string;
}

function recipe({ method, base = false, experts, each, merge }: Shape): Omit<BenchRecipe, "name"> {
  const names = Array.from({ length: experts }, (_, i) => `expert${i + 1}`);
  const model = (name: string): string[] => [
    `  - model: models/${name}`,
    ...(each === undefined ? [] : [`    parameters: ${each}`]),
  ];
  const lines = [
    `merge_method: ${method}`,
    ...(base ? ["base_model: models/base"] : []),
    "models:",
    ...names.flatMap(model),
    ...(merge === undefined ? [] : [`parameters: ${merge}`]),
    "dtype: bfloat16",
  ];
  return { yaml: `${lines.join("\n")}\n`, inputs: [...(base ? ["base"] : []), ...names] };
}

const WEIGHT = "{ weight: 0.5 }";
const SPARSE = "{ weight: 0.5, density: 0.5 }";
const base = true;

export const BENCH_RECIPES: Readonly<Record<string, Omit<BenchRecipe, "name">>> = {
  passthrough: recipe({ method: "passthrough", experts: 1 }),
  linear: recipe({ method: "linear", experts: 2, each: WEIGHT }),
  slerp: recipe({ method: "slerp", base, experts: 1, merge: "{ t: 0.3 }" }),
  nuslerp: recipe({ method: "nuslerp", experts: 2, each: WEIGHT }),
  multislerp: recipe({ method: "multislerp", experts: 3, each: WEIGHT }),
  karcher: recipe({ method: "karcher", experts: 3 }),
  task_arithmetic: recipe({ method: "task_arithmetic", base, experts: 3, each: WEIGHT }),
  ties: recipe({ method: "ties", base, experts: 3, each: SPARSE }),
  dare_linear: recipe({ method: "dare_linear", base, experts: 3, each: SPARSE }),
  dare_ties: recipe({ method: "dare_ties", base, experts: 3, each: SPARSE }),
  breadcrumbs: recipe({ method: "breadcrumbs", base, experts: 3, each: SPARSE }),
  breadcrumbs_ties: recipe({ method: "breadcrumbs_ties", base, experts: 3, each: SPARSE }),
  della: recipe({ method: "della", base, experts: 3, each: SPARSE }),
  della_linear: recipe({ method: "della_linear", base, experts: 3, each: SPARSE }),
  sce: recipe({ method: "sce", base, experts: 3, merge: "{ select_topk: 0.5 }" }),
  model_stock: recipe({ method: "model_stock", base, experts: 3 }),
  nearswap: recipe({ method: "nearswap", base, experts: 1, merge: "{ t: 0.001 }" }),
  arcee_fusion: recipe({ method: "arcee_fusion", base, experts: 1 }),
  ram: recipe({ method: "ram", base, experts: 3 }),
  ramplus_tl: recipe({ method: "ramplus_tl", base, experts: 3 }),
};
