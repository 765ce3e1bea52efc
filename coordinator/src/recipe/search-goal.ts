/** Reads the `objective` and the `constraints` of a search. Names of tasks are held against the task files later, by `searchTaskProblems`. */
import type { Located } from "./located.ts";
import type { Reader } from "./reader.ts";
import type { SearchConstraint, SearchObjective, SearchSection } from "./types.ts";

export const MEAN: SearchObjective = { kind: "mean", normalised: false };

/** Whether the search must know what each of the models scores by itself. */
export const needsExperts = ({ objective, constraints }: Pick<SearchSection, "objective" | "constraints">): boolean =>
  objective.normalised || constraints.some(({ kind }) => kind === "loses_at_most");

const KINDS = ["mean", "worst", "pareto"] as const;

/** A word, or a mapping that says more. */
export function readObjective(reader: Reader, node: Located): SearchObjective {
  if (node.kind !== "map") {
    const word = reader.choice(node, "`objective`", [...KINDS, "normalised"] as const) ?? "mean";
    return word === "normalised" ? { kind: "mean", normalised: true } : { kind: word, normalised: false };
  }
  const entries = reader.map(node, "`objective`", ["kind", "weights", "normalised"]);
  const kindEntry = entries?.get("kind");
  const kind = (kindEntry && reader.choice(kindEntry.value, "`kind` of `objective`", KINDS)) ?? "mean";
  const normalisedEntry = entries?.get("normalised");
  const normalised = (normalisedEntry && reader.boolean(normalisedEntry.value, "`normalised` of `objective`")) ?? false;
  const weightsEntry = entries?.get("weights");
  if (weightsEntry === undefined) return { kind, normalised };
  if (kind !== "mean")
    reader.fail(weightsEntry.line, `\`weights\` say nothing to an \`objective\` of kind \`${kind}\``);
  const weights = readWeights(reader, weightsEntry.value);
  return weights === undefined ? { kind, normalised } : { kind: "mean", weights, normalised };
}

function readWeights(reader: Reader, node: Located): Record<string, number> | undefined {
  if (node.kind !== "map" || node.entries.size === 0) {
    return reader.fail(node.line, "`weights` of `objective` must be a mapping of task names to numbers");
  }
  const weights: Record<string, number> = {};
  for (const [task, { value }] of node.entries) {
    const weight = reader.number(value, `the weight of \`${task}\``, { low: 0 });
    if (weight === undefined) return undefined;
    weights[task] = weight;
  }
  if (Object.values(weights).every((weight) => weight === 0)) {
    return reader.fail(node.line, "`weights` of `objective` are all 0: nothing would be maximised");
  }
  return weights;
}

/** `{task, at_least}`, `{task, loses_at_most}`, and the same for every task. */
export function readConstraints(reader: Reader, node: Located): SearchConstraint[] {
  const constraints: SearchConstraint[] = [];
  for (const item of reader.list(node, "`constraints`") ?? []) {
    const constraint = readConstraint(reader, item);
    if (constraint === undefined) continue;
    const { task, kind } = constraint;
    if (constraints.some((other) => other.task === task && other.kind === kind)) {
      reader.fail(
        item.line,
        `two constraints say \`${kind}\` of ${task === undefined ? "every task" : `task \`${task}\``}`,
      );
    } else constraints.push(constraint);
  }
  return constraints;
}

const EVERY = "every_task_";
const BOUNDS = ["at_least", "loses_at_most"] as const;

function readConstraint(reader: Reader, node: Located): SearchConstraint | undefined {
  const keys = ["task", ...BOUNDS, ...BOUNDS.map((bound) => EVERY + bound)];
  const entries = reader.map(node, "an item of `constraints`", keys);
  if (entries === undefined) return undefined;
  const written = [...entries.keys()].filter((key) => key !== "task" && keys.includes(key));
  const [key] = written;
  if (key === undefined || written.length > 1) {
    return reader.fail(
      node.line,
      "an item of `constraints` needs one bound: `at_least`, `loses_at_most`, `every_task_at_least` or `every_task_loses_at_most`",
    );
  }
  const amount = reader.number(entries.get(key)!.value, `\`${key}\``, { low: 0, high: 1 });
  const taskEntry = entries.get("task");
  const isEvery = key.startsWith(EVERY);
  if (isEvery && taskEntry !== undefined)
    return reader.fail(taskEntry.line, `\`${key}\` is of every task: it takes no \`task\``);
  if (!isEvery && taskEntry === undefined)
    return reader.fail(node.line, `\`${key}\` needs \`task\`, the name of one; of all tasks say \`${EVERY}${key}\``);
  const task = taskEntry && reader.text(taskEntry.value, "`task`");
  if (amount === undefined || (!isEvery && task === undefined)) return undefined;
  const kind = BOUNDS.find((bound) => key.endsWith(bound))!;
  return { ...(task === undefined ? {} : { task }), kind, amount };
}
