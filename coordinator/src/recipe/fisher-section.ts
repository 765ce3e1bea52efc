/** Reads the `fisher:` section: where the importance comes from that models are weighted by, entry by entry. */
import type { MergeMethod } from "@amalgam/kernels";
import { FISHER } from "./importance.ts";
import type { Located } from "./located.ts";
import { methodOf } from "./methods.ts";
import { suggestion } from "./problems.ts";
import type { Entries, Reader } from "./reader.ts";
import type { EvaluateSection, FisherSection, MergeSettings, RecipeModel } from "./types.ts";

const KEYS = ["estimate", "items", "estimator", "split", "parts", "tasks"];
const ESTIMATES = ["per_trial", "once", "files", "none"] as const;
const ESTIMATORS = ["exact", "sampled", "empirical"] as const;
/** As DF-Merge has it. */
const DEFAULT_ITEMS = 30;
const MAX_ITEMS = 1_000_000;
const MAX_PARTS = 1_000;

/** What else of the recipe the section depends on. */
export interface FisherContext {
  readonly method: MergeMethod;
  readonly merge: MergeSettings;
  readonly base: string | undefined;
  readonly evaluate: EvaluateSection | undefined;
  readonly hasEvaluate: boolean;
  lineOf(model: RecipeModel): number | undefined;
}

export function readFisher(reader: Reader, node: Located, context: FisherContext): FisherSection | undefined {
  // `fisher:` alone asks for the defaults.
  const empty = node.kind === "scalar" && node.value === null;
  const entries: Entries | undefined = empty ? new Map() : reader.map(node, "`fisher`", KEYS);
  if (entries === undefined) return undefined;
  const { method, evaluate } = context;
  const written = entries.get("estimate");
  const chosen = written && reader.choice(written.value, "`estimate` of `fisher`", ESTIMATES);
  const estimate = chosen ?? (method.conditionedOn === undefined ? "once" : "per_trial");
  const whole = (key: string, high: number): number | undefined => {
    const entry = entries.get(key);
    return entry && reader.number(entry.value, `\`${key}\` of \`fisher\``, { low: 1, high, integer: true });
  };
  const estimatorEntry = entries.get("estimator");
  const splitEntry = entries.get("split");
  const split = splitEntry && reader.text(splitEntry.value, "`split` of `fisher`");
  const section: FisherSection = {
    estimate,
    items: whole("items", MAX_ITEMS) ?? DEFAULT_ITEMS,
    estimator:
      (estimatorEntry && reader.choice(estimatorEntry.value, "`estimator` of `fisher`", ESTIMATORS)) ?? "exact",
    ...(split === undefined ? {} : { split }),
    parts: whole("parts", MAX_PARTS) ?? 1,
    tasks: readTasks(reader, entries, context.merge.models, evaluate),
  };
  checkUse(reader, node.line, written?.line ?? node.line, section, context);
  return section;
}

/** Kinds of merges in the recipe that are weighted by Fisher information. */
function uses({ merge, evaluate }: FisherContext): { readonly own: boolean; readonly rows: boolean } {
  const has = (of: MergeSettings): boolean => methodOf(of).companions.includes(FISHER);
  const rows = (evaluate?.compare ?? []).some((row) => row.kind === "method" && has(row.merge));
  return { own: has(merge), rows };
}

function checkUse(
  reader: Reader,
  line: number,
  estimateLine: number,
  { estimate }: FisherSection,
  context: FisherContext,
): void {
  const { method, merge, base, hasEvaluate, lineOf } = context;
  const { own, rows } = uses(context);
  if (!own && !rows) {
    const what = `method \`${method.name}\` does not weigh by Fisher information, and no row of \`compare\` does`;
    reader.fail(line, `${what}: remove \`fisher\`, or choose \`df_merge\` or \`fisher\``);
    return;
  }
  if (estimate === "per_trial" && method.conditionedOn === undefined) {
    const what = own ? "weighs the models as they are" : "does not weigh by Fisher information";
    reader.fail(estimateLine, `\`estimate: per_trial\`: method \`${method.name}\` ${what}: use \`estimate: once\``);
    return;
  }
  if (estimate === "files") return;
  for (const model of merge.models) {
    if (model.companions[FISHER] === undefined) continue;
    reader.fail(
      lineOf(model) ?? line,
      `model \`${model.name}\` names a file under \`fisher\`, which \`estimate: ${estimate}\` would not read: remove one of the two (\`estimate: files\` reads it)`,
    );
  }
  const estimates = estimate !== "none" || rows;
  if (!estimates) return;
  if (merge.modules !== undefined)
    reader.fail(
      line,
      "Fisher information is estimated of whole models: with `slices` or `modules` name files (`estimate: files`)",
    );
  if (!hasEvaluate)
    reader.fail(line, "`fisher` needs an `evaluate` section: its tasks have the items that estimates are made on");
  if (estimate === "per_trial" && base === undefined)
    reader.fail(line, "`estimate: per_trial` needs `base_model`: models are scaled between the base and themselves");
}

/** Task files by the names of models; each must be among those that the recipe evaluates. */
function readTasks(
  reader: Reader,
  entries: Entries,
  models: readonly RecipeModel[],
  evaluate: EvaluateSection | undefined,
): Record<string, string> {
  const entry = entries.get("tasks");
  if (entry === undefined) return {};
  if (entry.value.kind !== "map") {
    reader.fail(entry.value.line, "`tasks` of `fisher` must be a mapping of model names to task files");
    return {};
  }
  const names = models.map(({ name }) => name);
  const tasks: Record<string, string> = {};
  for (const [name, { line, value }] of entry.value.entries) {
    const task = reader.text(value, `the task of \`${name}\``);
    if (!names.includes(name))
      reader.fail(line, `unknown model \`${name}\` in \`tasks\` of \`fisher\`${suggestion(name, names)}`);
    else if (task !== undefined && evaluate !== undefined && !evaluate.tasks.includes(task)) {
      const near = suggestion(task, evaluate.tasks);
      reader.fail(value.line, `task \`${task}\` of \`${name}\` is not among the \`tasks\` of \`evaluate\`${near}`);
    } else if (task !== undefined) tasks[name] = task;
  }
  return tasks;
}
