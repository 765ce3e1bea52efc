/** `coarse_to_fine`: the first trials of a search have one number for all tensors, the next one for each model, the rest every coefficient. */
import { coefficientNamesByModel } from "./coefficients.ts";
import type { Located } from "./located.ts";
import { listed } from "./problems.ts";
import type { Reader } from "./reader.ts";
import type { Coefficient, Recipe, RecipeModel, SearchStage } from "./types.ts";

const STAGES = ["scale", "model"] as const;

/** What `coarse_to_fine: true` means, as shares of the trials. */
const SHARES = { scale: 0.05, model: 0.3 };

type Searched = readonly [coefficients: readonly Coefficient[], models: readonly RecipeModel[], trials: number];

/** The stages that have an effect, with their shares of the trials; none where the trials are too few. */
function usualStages(...[coefficients, models, trials]: Searched): SearchStage[] {
  const stages = STAGES.map((name) => ({ name, trials: Math.max(1, Math.round(SHARES[name] * trials)) }));
  const useless = withoutEffect(stages, coefficients, models);
  const used = stages.filter((stage) => !useless.includes(stage));
  return trialsOf(used) < trials ? used : [];
}

/** Reads `true`, `false`, or the trials of each stage. Undefined where there are none. */
export function readStages(reader: Reader, node: Located, ...searched: Searched): SearchStage[] | undefined {
  const [coefficients, models, trials] = searched;
  const what = "`coarse_to_fine`";
  const useless = (names: Iterable<string>): undefined =>
    reader.fail(
      node.line,
      `${what}: ${listed(names)} would search what comes after it: give a coefficient \`layers\` or \`tensors\`, or leave it out`,
    );
  if (node.kind === "scalar" && node.value === false) return undefined;
  if (node.kind === "scalar" && node.value === true) {
    const stages = usualStages(...searched);
    if (stages.length > 0) return stages;
    return trials < 3 ? undefined : useless(STAGES);
  }
  if (node.kind !== "map" || node.entries.size === 0) {
    const names = listed(STAGES);
    return reader.fail(node.line, `${what} must be true, false, or a mapping of ${names} to their numbers of trials`);
  }
  const entries = reader.map(node, what, STAGES) ?? new Map();
  const stages: SearchStage[] = [];
  for (const name of STAGES) {
    const entry = entries.get(name);
    if (entry === undefined) continue;
    const own = reader.number(entry.value, `\`${name}\` of ${what}`, { low: 1, integer: true });
    if (own === undefined) return undefined;
    stages.push({ name, trials: own });
  }
  const early = trialsOf(stages);
  const vain = withoutEffect(stages, coefficients, models);
  if (vain.length > 0) return useless(vain.map(({ name }) => name));
  if (early < trials) return stages;
  return reader.fail(
    node.line,
    `${what}: its stages have ${early} of the ${trials} trials: leave some for the coefficients themselves`,
  );
}

const trialsOf = (stages: readonly SearchStage[]): number => stages.reduce((sum, { trials }) => sum + trials, 0);

/** Stages with as many numbers to search as there are after them. */
function withoutEffect(
  stages: readonly SearchStage[],
  coefficients: readonly Coefficient[],
  models: readonly RecipeModel[],
): SearchStage[] {
  const sizes = [...stages.map(({ name }) => name), "full" as const].map((name) => sizeOf(name, coefficients, models));
  return stages.filter((_, index) => sizes[index] === sizes[index + 1]);
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
