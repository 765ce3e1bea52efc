/** `coarse_to_fine`: the first trials of a search have one number for all tensors, the next one for each model, the rest every coefficient. */
import { coefficientNamesByModel } from "./coefficients.ts";
import type { Located } from "./located.ts";
import { listed } from "./problems.ts";
import type { Reader } from "./reader.ts";
import type { Coefficient, Recipe, RecipeModel, SearchStage } from "./types.ts";

const STAGES = ["scale", "model"] as const;

/** What `coarse_to_fine: true` means, as shares of the trials. */
const SHARES = { scale: 0.05, model: 0.3 };

/** Reads `true`, or the trials of each stage. Stages without an effect are problems where they were asked for by name. */
export function readStages(
  reader: Reader,
  node: Located,
  coefficients: readonly Coefficient[],
  models: readonly RecipeModel[],
  trials: number,
): SearchStage[] | undefined {
  const what = "`coarse_to_fine`";
  if (node.kind === "scalar" && node.value === false) return undefined;
  const isDefault = node.kind === "scalar" && node.value === true;
  const entries = isDefault ? new Map() : node.kind === "map" ? reader.map(node, what, STAGES) : undefined;
  if (entries === undefined || (!isDefault && entries.size === 0)) {
    if (node.kind !== "map" || node.entries.size === 0) {
      reader.fail(node.line, `${what} must be true, or a mapping of ${listed(STAGES)} to their numbers of trials`);
    }
    return undefined;
  }
  const stages: SearchStage[] = [];
  for (const name of STAGES) {
    const entry = entries.get(name);
    if (entry !== undefined) {
      const own = reader.number(entry.value, `\`${name}\` of ${what}`, { low: 1, integer: true });
      if (own === undefined) return undefined;
      stages.push({ name, trials: own });
    } else if (isDefault) stages.push({ name, trials: Math.max(1, Math.round(SHARES[name] * trials)) });
  }
  const sizes = [...stages.map(({ name }) => sizeOf(name, coefficients, models)), sizeOf("full", coefficients, models)];
  const useless = stages.filter((_, index) => sizes[index] === sizes[index + 1]);
  if (useless.length === stages.length || (useless.length > 0 && !isDefault)) {
    const names = listed(useless.map(({ name }) => name));
    return reader.fail(
      node.line,
      `${what}: ${names} would search what comes after it: give a coefficient \`layers\` or \`tensors\`, or leave it out`,
    );
  }
  const used = stages.filter((stage) => !useless.includes(stage));
  const early = used.reduce((sum, stage) => sum + stage.trials, 0);
  if (early < trials) return used;
  return reader.fail(
    node.line,
    `${what}: its stages have ${early} of the ${trials} trials: leave some for the coefficients themselves`,
  );
}

/** The stages as a study wants them: which coefficients have the same value in each. */
export function searchStages({ search, models }: Recipe): (SearchStage & { readonly ties: Record<string, string> })[] {
  return (search?.stages ?? []).map((stage) => ({
    ...stage,
    ties: Object.fromEntries(tiesOf(stage.name, search?.coefficients ?? [], models)),
  }));
}

/** Names of coefficients with what stands for them in a stage: the parameter, or the parameter of a model. */
function tiesOf(
  stage: SearchStage["name"] | "full",
  coefficients: readonly Coefficient[],
  models: readonly RecipeModel[],
): (readonly [string, string])[] {
  return coefficients.flatMap((coefficient) => {
    const { parameter, per } = coefficient;
    return coefficientNamesByModel(coefficient, models).flatMap((names, index) => {
      const ofModel = per === "model" ? `${parameter}[${models[index]?.name}]` : parameter;
      return names.map((name) => [name, stage === "scale" ? parameter : stage === "model" ? ofModel : name] as const);
    });
  });
}

const sizeOf = (...of: Parameters<typeof tiesOf>): number => new Set(tiesOf(...of).map(([, parent]) => parent)).size;
