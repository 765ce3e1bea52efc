/** Reads the `search:` section: how many trials, which coefficients between which bounds, and points to start from. */
import type { MergeMethod } from "@amalgam/kernels";
import { greedySoupTrials } from "@amalgam/optimizer";
import type { Located } from "./located.ts";
import type { Entries, Reader } from "./reader.ts";
import { checkVaryingSettings, defaultCoefficients, readCoefficients } from "./search-coefficients.ts";
import { readStart } from "./search-start.ts";
import type { MergeSettings, SearchSection } from "./types.ts";

const DEFAULT_TRIALS = 30;
const DEFAULT_PARALLEL = 2;
const MAX_TRIALS = 100_000;
const MAX_PARALLEL = 256;
const SOUP_KEYS = ["strategy", "parallel"];

export function readSearch(
  reader: Reader,
  node: Located,
  method: MergeMethod,
  merge: MergeSettings,
): SearchSection | undefined {
  // `search:` alone asks for the defaults.
  const empty = node.kind === "scalar" && node.value === null;
  const strategy = empty ? "bayesian" : readStrategy(reader, node);
  const keys =
    strategy === "bayesian" ? ["strategy", "trials", "parallel", "racing", "coefficients", "start"] : SOUP_KEYS;
  const entries: Entries | undefined = empty ? new Map() : reader.map(node, "`search`", keys, explainKey(strategy));
  if (entries === undefined) return undefined;
  const integer = (key: string, fallback: number, high: number): number => {
    const entry = entries.get(key);
    if (entry === undefined) return fallback;
    return reader.number(entry.value, `\`${key}\``, { low: 1, high, integer: true }) ?? fallback;
  };
  if (strategy === "greedy_soup") {
    return readSoup(reader, node.line, method, merge, integer("parallel", DEFAULT_PARALLEL, MAX_PARALLEL));
  }
  const trials = integer("trials", DEFAULT_TRIALS, MAX_TRIALS);
  const parallel = integer("parallel", DEFAULT_PARALLEL, MAX_PARALLEL);
  const racingNode = entries.get("racing")?.value;
  const racing = (racingNode && reader.boolean(racingNode, "`racing`")) ?? false;
  const written = entries.get("coefficients");
  const coefficients =
    written === undefined
      ? defaultCoefficients(reader, node.line, method)
      : readCoefficients(reader, written.value, method);
  checkVaryingSettings(reader, node.line, coefficients, merge);
  const start = entries.get("start");
  const points =
    start === undefined || coefficients.length === 0 ? [] : readStart(reader, start.value, coefficients, merge.models);
  return { strategy, trials, parallel, racing, coefficients, start: points };
}

function readStrategy(reader: Reader, node: Located): SearchSection["strategy"] {
  const written = node.kind === "map" ? node.entries.get("strategy")?.value : undefined;
  return (written && reader.choice(written, "`strategy`", ["bayesian", "greedy_soup"] as const)) ?? "bayesian";
}

const explainKey = (strategy: SearchSection["strategy"]) => (key: string) =>
  strategy === "greedy_soup" && ["trials", "racing", "coefficients", "start"].includes(key)
    ? `\`${key}\` says nothing to \`strategy: greedy_soup\`: it tries every model alone and then adds them one by one, with weight 1`
    : undefined;

/** A soup is the mean of the models in it: weights of 1 and 0, divided by their sum. */
function readSoup(
  reader: Reader,
  line: number,
  method: MergeMethod,
  merge: MergeSettings,
  parallel: number,
): SearchSection {
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
  return { strategy: "greedy_soup", trials, parallel, racing: false, coefficients, start: [] };
}
