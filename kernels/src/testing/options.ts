// The structural choices of a method that its tests go through.
import { graphOf } from "../graph.ts";
import type { MergeMethod } from "../method.ts";

/** The defaults, and each other choice of a boolean or enum parameter by itself, as far as the method accepts it. */
export function optionSets(method: MergeMethod): Record<string, boolean | string>[] {
  const parameters = Object.entries(method.parameters).filter(([, p]) => p.kind !== "number" && !p.ignored);
  const others = parameters.flatMap(([name, parameter]) => {
    const choices = parameter.kind === "enum" ? parameter.choices : [false, true];
    return choices.filter((choice) => choice !== parameter.default).map((choice) => ({ [name]: choice }));
  });
  return [{}, ...others].filter((options) => accepts(method, options));
}
/** A method may refuse some combinations. */
function accepts(method: MergeMethod, options: Record<string, boolean | string>): boolean {
  try {
    graphOf(method, { models: method.minModels, hasBase: method.base !== "none", options });
    return true;
  } catch {
    return false;
  }
}
