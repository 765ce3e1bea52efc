/** The merge methods by name, and what a recipe's settings mean for one of them. No method is known by name here. */
import { METHODS, type MergeMethod, type NumberParameter } from "@amalgam/kernels";
import { listed, suggestion } from "./problems.ts";
import type { MergeSettings, RecipeModel } from "./types.ts";

/** The method, or the message of why there is none. */
export function methodNamed(name: string): MergeMethod | string {
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (method !== undefined) return method;
  const known = Object.keys(METHODS);
  if (/[./]/.test(name))
    return `unknown merge method \`${name}\`: a recipe names methods; one from a file of yours is loaded by \`--method ${name}\`, and named as it says`;
  return `unknown merge method \`${name}\`${suggestion(name, known)} (methods: ${listed(known)})`;
}

/** Why candidates of the method cannot be scored, or undefined when they can. */
export function unscorable({ name, artefact }: MergeMethod): string | undefined {
  if (artefact === undefined) return undefined;
  return `\`${name}\` makes an artefact and no model that could be scored: merge it, then \`amalgam materialize\` and \`amalgam eval\` each task`;
}

/** The method of settings that were validated. */
export function methodOf(merge: MergeSettings): MergeMethod {
  const method = methodNamed(merge.method);
  if (typeof method === "string") throw new Error(method);
  return method;
}

/** What to do with a key of a model or a slice that is a parameter of some method; undefined for any other. */
export function explainParameter(key: string): string | undefined {
  const known = Object.values(METHODS).some(({ parameters }) => Object.hasOwn(parameters, key));
  return known ? `\`${key}\` is a parameter: put it under \`parameters:\`` : undefined;
}

/** Kinds of companion files that some method uses. */
export function companionKinds(): string[] {
  return [...new Set(Object.values(METHODS).flatMap((method) => method.companions))];
}

/**
 * The models that a method merges. A base that recipes list among the models, as mergekit allows, is not one of them when the method uses a
 * base; otherwise it is a model like the others.
 */
export function mergedModels(
  method: MergeMethod,
  base: string | undefined,
  models: readonly RecipeModel[],
): readonly RecipeModel[] {
  return method.base === "none" ? models : models.filter((model) => model.path !== base);
}

/** What a value must be to be within a parameter's bounds, or undefined when it is. */
export function boundsViolation(parameter: NumberParameter, value: number): string | undefined {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = parameter;
  if (value >= min && value <= max) return undefined;
  if (max === Number.POSITIVE_INFINITY) return `must be at least ${min}`;
  return min === Number.NEGATIVE_INFINITY ? `must be at most ${max}` : `must be from ${min} to ${max}`;
}
