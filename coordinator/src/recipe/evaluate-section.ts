/** Reads the `evaluate:` section: tasks, splits, and the rows that the final table compares with. */
import type { MergeMethod } from "@amalgam/kernels";
import { nearest } from "@amalgam/runtime";
import { checkCompleteness } from "./completeness.ts";
import type { Located } from "./located.ts";
import { mergedModels, methodNamed, unscorable } from "./methods.ts";
import { REFUSED, readParameters } from "./parameters.ts";
import { mapSettings } from "./parts.ts";
import { suggestion } from "./problems.ts";
import type { Entries, Reader } from "./reader.ts";
import type { Comparison, EvaluateSection, MergeSettings, RecipeModel, Setting, Settings } from "./types.ts";

const SEARCH_SPLIT = "validation";

export function readEvaluate(
  reader: Reader,
  node: Located,
  base: string | undefined,
  merged: MergedModels,
): EvaluateSection | undefined {
  const entries = reader.map(node, "`evaluate`", ["tasks", "split", "confirm", "objective", "compare", "graph"]);
  if (entries === undefined) return undefined;
  const tasksEntry = reader.required(entries, "tasks", node.line, "`evaluate`");
  const tasks = tasksEntry === undefined ? [] : readTasks(reader, tasksEntry.value);
  const text = (key: string): string | undefined => {
    const entry = entries.get(key);
    return entry && reader.text(entry.value, `\`${key}\``);
  };
  const objectiveEntry = entries.get("objective");
  if (objectiveEntry !== undefined) reader.choice(objectiveEntry.value, "`objective`", ["mean"]);
  const confirm = text("confirm");
  const graph = text("graph");
  const compareEntry = entries.get("compare");
  return {
    tasks,
    split: text("split") ?? SEARCH_SPLIT,
    ...(confirm === undefined ? {} : { confirm }),
    ...(graph === undefined ? {} : { graph }),
    objective: "mean",
    compare: compareEntry === undefined ? [] : readCompare(reader, compareEntry.value, base, merged),
  };
}

/** What the recipe merges, which the rows of a comparison merge too. */
export type MergedModels = Pick<MergeSettings, "models" | "modules">;

function readTasks(reader: Reader, node: Located): string[] {
  const tasks: string[] = [];
  const items = reader.list(node, "`tasks`");
  if (items?.length === 0) reader.fail(node.line, "`tasks` is empty: name at least one task file");
  for (const item of items ?? []) {
    const task = reader.text(item, "each item of `tasks`");
    if (task === undefined) continue;
    if (tasks.includes(task)) reader.fail(item.line, `task \`${task}\` is listed twice`);
    else tasks.push(task);
  }
  return tasks;
}

function readCompare(reader: Reader, node: Located, base: string | undefined, merged: MergedModels): Comparison[] {
  const comparisons: Comparison[] = [];
  for (const item of reader.list(node, "`compare`") ?? []) {
    if (item.kind === "scalar") {
      if (reader.choice(item, "an item of `compare` that is a word", ["models"]) === undefined) continue;
      if (comparisons.some(({ kind }) => kind === "models"))
        reader.fail(item.line, "`models` is listed twice in `compare`");
      else if (merged.modules !== undefined)
        reader.fail(
          item.line,
          "`models` in `compare`: the models have other layers than one made of slices or modules",
        );
      else comparisons.push({ kind: "models" });
      continue;
    }
    const row = readRow(reader, item, base, merged);
    if (row !== undefined) comparisons.push(row);
  }
  return comparisons;
}

function readRow(
  reader: Reader,
  node: Located,
  base: string | undefined,
  merged: MergedModels,
): Comparison | undefined {
  const entries = reader.map(node, "an item of `compare`", ["name", "merge_method", "parameters", "weights"]);
  const methodEntry = entries && reader.required(entries, "merge_method", node.line, "an item of `compare`");
  const methodName = methodEntry && reader.text(methodEntry.value, "`merge_method`");
  if (entries === undefined || methodEntry === undefined || methodName === undefined) return undefined;
  const method = methodNamed(methodName);
  if (typeof method === "string") return reader.fail(methodEntry.value.line, method);
  const problem = unscorable(method);
  if (problem !== undefined) return reader.fail(methodEntry.value.line, problem);
  const nameEntry = entries.get("name");
  const name = (nameEntry && reader.text(nameEntry.value, "`name`")) ?? method.name;
  const written = entries.get("parameters")?.value;
  const where = `the parameters of \`${name}\``;
  const parameters = written === undefined ? {} : readParameters(reader, written, method, "merge", where);
  const weights = readWeights(reader, entries, merged.models, method.parameters);
  const merge = rowMerge(method, parameters, base, merged, weights);
  checkCompleteness(reader, method, merge, base, new Set(), { method: node.line, of: () => node.line });
  return { kind: "method", name, merge };
}

/** The recipe's models or slices, merged by another method: settings of the recipe's own do not apply. */
function rowMerge(
  method: MergeMethod,
  parameters: Settings,
  base: string | undefined,
  { models, modules }: MergedModels,
  weights: ReadonlyMap<string, Setting>,
): MergeSettings {
  const weightOf = (name: string | undefined): Settings => {
    const weight = name === undefined ? undefined : weights.get(name);
    return weight === undefined ? {} : { weight };
  };
  if (modules === undefined) {
    const rowModels = mergedModels(method, base, models).map((model) => ({
      ...model,
      parameters: weightOf(model.name),
    }));
    return { method: method.name, parameters, models: rowModels };
  }
  const names = new Map(models.map(({ path, name }) => [path, name]));
  const rowModules = mapSettings(
    modules,
    () => ({}),
    (_, path) => weightOf(names.get(path)),
  );
  return { method: method.name, parameters, models, modules: rowModules };
}

function readWeights(
  reader: Reader,
  entries: Entries,
  models: readonly RecipeModel[],
  parameters: Readonly<Record<string, { readonly scope: string }>>,
): Map<string, Setting> {
  const weights = new Map<string, Setting>();
  const entry = entries.get("weights");
  if (entry === undefined) return weights;
  if (!Object.hasOwn(parameters, "weight") || parameters["weight"]?.scope !== "model") {
    reader.fail(entry.line, "`weights` is for methods with a `weight` for each model");
    return weights;
  }
  const names = models.map((model) => model.name);
  if (entry.value.kind !== "map") {
    reader.fail(entry.value.line, "`weights` must be a mapping of model names to numbers");
    return weights;
  }
  for (const [name, { line, value }] of entry.value.entries) {
    const number = reader.number(value, `the weight of \`${name}\``);
    const meant = names.includes(name) ? name : nearest(name, names);
    if (meant !== name) reader.fail(line, `unknown model \`${name}\` in \`weights\`${suggestion(name, names)}`);
    if (meant !== undefined && (meant === name || !weights.has(meant))) weights.set(meant, number ?? REFUSED);
  }
  return weights;
}
