// Takes up methods that are not built in. Whoever starts a process decides which: a recipe only ever names them.
import { graphOf } from "./graph.ts";
import type { MergeMethod, Parameter } from "./method.ts";
import { METHODS } from "./methods/index.ts";

const NAME = /^[a-z][a-z0-9_]*$/;
const ITS_NAME = "it needs a `name` of small letters, digits and underscores, such as `my_method`";

/**
 * Makes the method known in this process under its name. Throws a TypeError or RangeError that says what is wrong with it; its
 * types are checked here because its file may be plain JavaScript.
 */
export function registerMethod(method: MergeMethod): void {
  const { name } = (method ?? {}) as Partial<MergeMethod>;
  if (typeof name !== "string" || !NAME.test(name)) throw new TypeError(ITS_NAME);
  if (Object.hasOwn(METHODS, name)) throw new RangeError(`there is a method \`${name}\` already: choose another name`);
  const problems = [...metadataProblems(method)];
  if (problems.length > 0) throw new TypeError(`\`${name}\`: ${problems.join("; ")}`);
  graphOf(method, { models: method.minModels, hasBase: method.base !== "none", options: {} });
  (METHODS as Record<string, MergeMethod>)[name] = method;
}

function* metadataProblems(method: MergeMethod): Generator<string> {
  const { summary, reference, base, minModels, companions, parameters, conditionedOn, build } = method;
  if (typeof summary !== "string") yield "`summary` must be a text";
  if (typeof reference !== "string") yield "`reference` must be a text";
  if (!["required", "optional", "none"].includes(base)) yield '`base` must be "required", "optional" or "none"';
  if (!Number.isSafeInteger(minModels) || minModels < 1) yield "`minModels` must be a whole number from 1 up";
  if (!Array.isArray(companions)) yield "`companions` must be a list, such as []";
  if (typeof build !== "function") yield "`build` must be a function";
  if (typeof parameters !== "object" || parameters === null) yield "`parameters` must be an object, such as {}";
  else for (const [name, parameter] of Object.entries(parameters)) yield* parameterProblems(name, parameter);
  const condition = conditionedOn === undefined ? undefined : parameters?.[conditionedOn];
  if (conditionedOn !== undefined && (condition?.kind !== "number" || condition.scope !== "model" || base === "none"))
    yield "`conditionedOn` must name a number parameter of the models, of a method that uses a base";
}

function* parameterProblems(name: string, parameter: Parameter): Generator<string> {
  const { kind, scope, doc } = parameter;
  const what = `the parameter \`${name}\``;
  if (!["number", "boolean", "enum"].includes(kind)) yield `${what} needs \`kind\`: "number", "boolean" or "enum"`;
  if (scope !== "global" && scope !== "model") yield `${what} needs \`scope\`: "global" or "model"`;
  if (typeof doc !== "string") yield `${what} needs \`doc\`, a text`;
  if (kind === "boolean" && typeof parameter.default !== "boolean") yield `${what} needs \`default\`: true or false`;
  if (kind === "enum" && !parameter.choices?.includes(parameter.default))
    yield `${what} needs \`choices\`, and \`default\`, one of them`;
}
