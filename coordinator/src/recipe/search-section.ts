/** Reads the `search:` section: what proposes, how often, what it is after, and what it starts from. */
import type { MergeMethod } from "@amalgam/kernels";
import { greedySoupTrials } from "@amalgam/optimizer";
import type { Located } from "./located.ts";
import type { Entries, Reader } from "./reader.ts";
import { checkVaryingSettings, defaultCoefficients, readCoefficients } from "./search-coefficients.ts";
import { MEAN, needsExperts, readConstraints, readObjective } from "./search-goal.ts";
import { readStages } from "./search-stages.ts";
import { readStart } from "./search-start.ts";
import type { MergeSettings, SearchObjective, SearchSection, SearchStrategy } from "./types.ts";

const DEFAULT_TRIALS = 30;
const DEFAULT_PARALLEL = 2;
const MAX_TRIALS = 100_000;
const MAX_PARALLEL = 256;
const STRATEGIES: readonly SearchStrategy[] = ["bayesian", "random", "sobol", "grid", "cmaes", "greedy_soup"];
const SOUP_KEYS = ["strategy", "parallel", "objective"];
const KEYS = [
  "strategy",
  "trials",
  "initial_trials",
  "parallel",
  "racing",
  "objective",
  "constraints",
  "stop",
  "warm_start",
  "coefficients",
  "coarse_to_fine",
  "start",
];

export function readSearch(
  reader: Reader,
  node: Located,
  method: MergeMethod,
  merge: MergeSettings,
): SearchSection | undefined {
  // `search:` alone asks for the defaults.
  const empty = node.kind === "scalar" && node.value === null;
  const strategy = empty ? "bayesian" : readStrategy(reader, node);
  const isSoup = strategy === "greedy_soup";
  const entries: Entries | undefined = empty
    ? new Map()
    : reader.map(node, "`search`", isSoup ? SOUP_KEYS : KEYS, explainKey(strategy));
  if (entries === undefined) return undefined;
  const integer = (key: string, high: number): number | undefined => {
    const entry = entries.get(key);
    return entry && reader.number(entry.value, `\`${key}\``, { low: 1, high, integer: true });
  };
  const parallel = integer("parallel", MAX_PARALLEL) ?? DEFAULT_PARALLEL;
  const objectiveEntry = entries.get("objective");
  const objective = objectiveEntry === undefined ? MEAN : readObjective(reader, objectiveEntry.value);
  if (isSoup) return readSoup(reader, node.line, method, merge, parallel, objective);
  const trials = integer("trials", MAX_TRIALS) ?? DEFAULT_TRIALS;
  const initialTrials = integer("initial_trials", MAX_TRIALS);
  const racingEntry = entries.get("racing");
  const racing = (racingEntry && reader.boolean(racingEntry.value, "`racing`")) ?? false;
  const constraintsEntry = entries.get("constraints");
  const constraints = constraintsEntry === undefined ? [] : readConstraints(reader, constraintsEntry.value);
  const stopEntry = entries.get("stop");
  const stop = (stopEntry && reader.choice(stopEntry.value, "`stop`", ["auto", "never"] as const)) ?? "never";
  const warmStartEntry = entries.get("warm_start");
  const warmStart = warmStartEntry && reader.text(warmStartEntry.value, "`warm_start`");
  if (racing && (objective.kind !== "mean" || objective.weights !== undefined || objective.normalised)) {
    reader.fail(
      racingEntry?.line ?? node.line,
      "`racing` compares means of accuracies: it goes with `objective: mean` only",
    );
  }
  if (racing && constraints.length > 0) {
    reader.fail(
      racingEntry?.line ?? node.line,
      "`racing` gives up trials by their mean, whatever `constraints` they would meet: remove one of the two",
    );
  }
  if (merge.modules !== undefined && needsExperts({ objective, constraints })) {
    reader.fail(
      node.line,
      "`normalised` and `loses_at_most` compare with the models by themselves, which have other layers than one made of slices or modules",
    );
  }
  const written = entries.get("coefficients");
  const coefficients =
    written === undefined
      ? defaultCoefficients(reader, node.line, method)
      : readCoefficients(reader, written.value, method);
  checkVaryingSettings(reader, node.line, coefficients, merge);
  const simplex = coefficients.find((coefficient) => coefficient.simplex === true);
  if (simplex !== undefined && merge.models.length < 2) {
    reader.fail(node.line, `\`simplex\` of \`${simplex.parameter}\` shares 1 among the models, and there is one`);
  }
  const start = entries.get("start");
  const points =
    start === undefined || coefficients.length === 0
      ? []
      : readStart(reader, start.value, coefficients, merge.models, method);
  const stagesEntry = entries.get("coarse_to_fine");
  const stages = stagesEntry && readStages(reader, stagesEntry.value, coefficients, merge.models, trials);
  if (stages !== undefined && strategy !== "bayesian") {
    reader.fail(stagesEntry?.line ?? node.line, "`coarse_to_fine` goes with `strategy: bayesian` only");
  }
  return {
    strategy,
    trials,
    ...(initialTrials === undefined ? {} : { initialTrials }),
    parallel,
    racing,
    objective,
    constraints,
    stop,
    ...(warmStart === undefined ? {} : { warmStart }),
    coefficients,
    ...(stages === undefined ? {} : { stages }),
    start: points,
  };
}

function readStrategy(reader: Reader, node: Located): SearchStrategy {
  const written = node.kind === "map" ? node.entries.get("strategy")?.value : undefined;
  return (written && reader.choice(written, "`strategy`", STRATEGIES)) ?? "bayesian";
}

const explainKey = (strategy: SearchStrategy) => (key: string) =>
  strategy === "greedy_soup" && KEYS.includes(key)
    ? `\`${key}\` says nothing to \`strategy: greedy_soup\`: it tries every model alone and then adds them one by one, with weight 1`
    : undefined;

/** A soup is the mean of the models in it: weights of 1 and 0, divided by their sum. */
function readSoup(
  reader: Reader,
  line: number,
  method: MergeMethod,
  merge: MergeSettings,
  parallel: number,
  objective: SearchObjective,
): SearchSection {
  if (objective.kind === "pareto") {
    reader.fail(line, "a greedy soup keeps what scores higher: its `objective` is one number, not `pareto`");
  }
  const { weight, normalize } = method.parameters;
  const normalized = merge.parameters["normalize"] ?? normalize?.default;
  if (weight?.kind !== "number" || weight.scope !== "model" || normalize?.kind !== "boolean" || normalized !== true) {
    reader.fail(
      line,
      "a greedy soup averages models: it needs `merge_method: linear`, or another with `weight` and `normalize: true`",
    );
  }
  if (merge.models.length < 2) reader.fail(line, "a greedy soup needs at least two models");
  const coefficients = [{ parameter: "weight", per: "model", low: 0, high: 1, scale: "linear" }] as const;
  checkVaryingSettings(reader, line, coefficients, merge);
  const trials = greedySoupTrials(merge.models.length);
  return {
    strategy: "greedy_soup",
    trials,
    parallel,
    racing: false,
    objective,
    constraints: [],
    stop: "never",
    coefficients,
    start: [],
  };
}
