// `adapter_config.json` of a PEFT adapter: what decides a merge. Adapters that are more than low-rank products added to the base as it
// is are refused by name, for a merge without that part would be another model.
import { CheckpointError, quoteName, throwProblems } from "./errors.ts";
import { isJsonObject } from "./json-file.ts";
import type { JsonObject, JsonValue } from "./json-scanner.ts";

export interface AdapterConfig {
  readonly alpha: number;
  /** Alphas of modules by their path or its end, in the file's order: the first that fits counts. */
  readonly alphaPattern: readonly (readonly [module: string, alpha: number])[];
  /** Products are scaled by alpha / sqrt(rank) instead of alpha / rank (rsLoRA, https://arxiv.org/abs/2312.03732). */
  readonly rankStabilised: boolean;
  /** Weights are stored [in, out]; decides where shapes do not. */
  readonly fanInFanOut: boolean;
  /** What the adapter was trained on, as its author wrote it. */
  readonly baseModel: string | undefined;
}

const IS_OFF = (value: JsonValue | undefined): boolean =>
  value === undefined || value === null || value === false || (Array.isArray(value) && value.length === 0);

/** Keys that, when they are set, make an adapter something else than its products. */
const REFUSED: Readonly<Record<string, string>> = {
  use_dora: "DoRA also rescales the rows of the merged weights",
  lora_bias: "its factors have biases",
  layer_replication: "it repeats layers of the base",
  target_parameters: "it adapts parameters that are no module's weight",
  trainable_token_indices: "it replaces single rows of the embeddings",
  alora_invocation_tokens: "it is active after certain tokens only, so it has no merged form",
  use_qalora: "QALoRA works on a quantised base",
  use_bdlora: "its factors are block-diagonal",
  kasa_config: "KaSA changes the base as well",
  monteclora_config: "MonteCLoRA draws its factors at random",
  arrow_config: "it is a router over several adapters",
  megatron_config: "its layers are Megatron's",
};

/** Ways of starting the training that replace the base's weights by others: the adapter does not fit the base as it is published. */
const CHANGES_THE_BASE = /^(pissa|olora|corda|loftq|lora_ga)/;

/** Throws every reason why the adapter cannot be merged. */
export function readAdapterConfig(config: JsonObject, file: string): AdapterConfig {
  const problems: CheckpointError[] = [];
  const refuse = (rule: string, hint?: string): void => {
    problems.push(new CheckpointError({ file, rule, ...(hint === undefined ? {} : { hint }) }));
  };
  const kind = config["peft_type"];
  if (kind !== "LORA") {
    refuse(`peft_type is ${quoted(kind)}: only LORA adapters can be merged`);
    throwProblems(problems);
  }
  const hint = "merge it with PEFT's merge_and_unload and give the result";
  for (const [key, reason] of Object.entries(REFUSED)) {
    if (!IS_OFF(config[key])) refuse(`\`${key}\` is set, which is not supported: ${reason}`, hint);
  }
  const init = config["init_lora_weights"];
  if (typeof init === "string" && CHANGES_THE_BASE.test(init)) {
    const how = "save it with PEFT's path_initial_model_for_weight_conversion, which makes a plain LoRA of it";
    refuse(`\`init_lora_weights: ${init}\` starts from a changed base, which is not the published one`, how);
  }
  const number = (key: string): number => {
    const value = config[key];
    if (typeof value === "number" && Number.isFinite(value)) return value;
    refuse(`\`${key}\` must be a number, not ${quoted(value)}`);
    return 0;
  };
  const alpha = number("lora_alpha");
  const alphaPattern = readPattern(config["alpha_pattern"], refuse);
  throwProblems(problems);
  const base = config["base_model_name_or_path"];
  return {
    alpha,
    alphaPattern,
    rankStabilised: config["use_rslora"] === true,
    fanInFanOut: config["fan_in_fan_out"] === true,
    baseModel: typeof base === "string" ? base : undefined,
  };
}

/** Alpha of a module, as PEFT finds it: a pattern is the whole path after `^`, else the path or its last parts. */
export function alphaOf({ alpha, alphaPattern }: AdapterConfig, module: string): number {
  const found = alphaPattern.find(([pattern]) =>
    pattern.startsWith("^") ? module === pattern.slice(1) : module === pattern || module.endsWith(`.${pattern}`),
  );
  return found?.[1] ?? alpha;
}

/** The keys are regular expressions; only those that are names are followed: an expression from a file could be one that never ends. */
function readPattern(
  value: JsonValue | undefined,
  refuse: (rule: string, hint?: string) => void,
): AdapterConfig["alphaPattern"] {
  if (!isJsonObject(value)) {
    if (!IS_OFF(value)) refuse(`\`alpha_pattern\` must map modules to numbers, not ${quoted(value)}`);
    return [];
  }
  return Object.entries(value).flatMap(([key, alpha]): [string, number][] => {
    const name = key.replaceAll("\\.", ".");
    if (!/^\^?[\w.-]+$/.test(name)) {
      refuse(`\`alpha_pattern\` has the regular expression ${quoted(key)}`, "write the names of the modules instead");
      return [];
    }
    if (typeof alpha === "number" && Number.isFinite(alpha)) return [[name, alpha]];
    refuse(`\`alpha_pattern\` of ${quoted(key)} must be a number, not ${quoted(alpha)}`);
    return [];
  });
}

const quoted = (value: JsonValue | undefined): string =>
  value === undefined ? "missing" : quoteName(typeof value === "string" ? value : JSON.stringify(value)).slice(0, 120);
