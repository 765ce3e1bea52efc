// Scores coefficients of the quickstart's merge in one process: the planner, the kernels and the evaluator's scorer, without
// jobs and workers around them. The numbers are those of a search.

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { loadPlanInputs, type Plan, parseRecipe, planJob, scalarsByName, searchDimensions } from "@amalgam/coordinator";
import { createScorer, loadTasks, readModelDirectory, type Weights, type WeightTensor } from "@amalgam/evaluator";
import { buildProgram, type DTypeName, dtypeBytes, mergeTensors } from "@amalgam/kernels";
import type { Dimension, Outcome, Values } from "@amalgam/optimizer";

export interface QuickstartMerge extends AsyncDisposable {
  readonly dimensions: readonly Dimension[];
  readonly trials: number;
  readonly parallel: number;
  /** The mean accuracy of the tasks on a split, and its standard error. */
  score(values: Values, split: string): Promise<Outcome>;
}

/**
 * Opens a search whose tensors are all merged by one program, from inputs of the same dtypes. It weighs by the experts' stored
 * Fisher information, whatever the recipe estimates: thousands of trials, and the optimizer is what they are about.
 */
export async function openMerge(recipeFile: string): Promise<QuickstartMerge> {
  const directory = dirname(recipeFile);
  const { fisher: _, ...recipe } = parseRecipe(readFileSync(recipeFile, "utf8"), { fileName: basename(recipeFile) });
  const plan = planJob({ recipe, ...(await loadPlanInputs(recipe, directory)) });
  const merge = createMerge(plan);
  const tasks = await loadTasks(recipe.evaluate!.tasks.map((task) => join(directory, task)));
  const { config, tokenizer } = await readModelDirectory(join(directory, "base"));
  const scorer = await createScorer({ config, tokenizer, tasks, threads: 1 });
  return {
    dimensions: searchDimensions(recipe),
    trials: recipe.search!.trials,
    parallel: recipe.search!.parallel,
    async score(values, split) {
      const weights = merge(values);
      const scores = [];
      for (const task of tasks.keys()) scores.push(await scorer.score(weights, task, split));
      const mean = scores.reduce((sum, { score }) => sum + score / scores.length, 0);
      const standardError = Math.hypot(...scores.map((score) => score.standardError)) / scores.length;
      return { values: [mean], standardErrors: [standardError] };
    },
    [Symbol.asyncDispose]: () => scorer[Symbol.asyncDispose](),
  };
}

/** Reads all inputs once; merges them anew for each set of coefficients. */
function createMerge(plan: Plan): (coefficients: Values) => Weights {
  const variant = plan.variants[0]!;
  const [group] = variant.groups;
  const inputs = plan.tensors.map((tensor) =>
    group!.slots.map((slot) => {
      const { file, dtype, offset } = tensor.sources[slot]!;
      const bytes = new Uint8Array(tensor.elements * dtypeBytes(dtype as DTypeName));
      const descriptor = openSync(plan.files[file]!.path, "r");
      readSync(descriptor, bytes, 0, bytes.length, offset);
      closeSync(descriptor);
      return { dtype: dtype as DTypeName, bytes };
    }),
  );
  const outputDtype = plan.tensors[0]!.outputDtype as DTypeName;
  const program = buildProgram({ ...group!.spec, inputDtypes: inputs[0]!.map(({ dtype }) => dtype), outputDtype });
  return (coefficients) => {
    const scalars = scalarsByName(plan, variant, coefficients as Record<string, number>);
    const merged = mergeTensors(
      program,
      plan.tensors.map(({ elements, shape }, index) => ({
        inputs: inputs[index]!.map(({ bytes }) => bytes),
        elements,
        rowElements: shape.at(-1) ?? 1,
        scalars: scalars(index),
      })),
    );
    const tensors = new Map(
      plan.tensors.map(({ name, shape }, index): [string, WeightTensor] => [
        name,
        { dtype: outputDtype, shape, bytes: merged[index]!.bytes },
      ]),
    );
    return { get: (name) => tensors.get(name), names: () => tensors.keys() };
  };
}
