// Applies a method to a number of models: the expression, its inputs and parameters, and its
// statistics ordered into stages. Independent of dtypes and of any back-end.
import { lowered } from "./arithmetic.ts";
import { canonical, textOf, topological } from "./canonical.ts";
import { type DTypeName, isWorkingDType, type WorkingDType } from "./dtype.ts";
import type { DrawnExpr, Expr, F32, InputRole, Mask, StatisticExpr } from "./expr.ts";
import { input, param, select, sum } from "./expr.ts";
import type { MergeMethod, MethodContext, Parameter } from "./method.ts";
import { methodNamed } from "./methods/index.ts";
import { RANDOM_KEY, RANDOM_SEED, randomOffset } from "./random.ts";
import type { GraphSpec, MergeGraph, Stage } from "./types.ts";

const never = (): boolean => false;
const isStatistic = (e: Expr): e is StatisticExpr => e.op === "statistic";

/** Builds the graph of a registered method. Throws a RangeError that says which rule the spec breaks. */
export const buildGraph = (spec: GraphSpec): MergeGraph => graphOf(methodNamed(spec.method), spec);

type Spec = Omit<GraphSpec, "method"> & { readonly inputDtypes?: readonly DTypeName[] };

/** Builds the graph of any method, registered or not. Without `inputDtypes` any input may need a cast to the working dtype. */
export function graphOf(method: MergeMethod, spec: Spec): MergeGraph {
  checkSpec(method, spec);
  const inputs = inputRoles(method, spec);
  const working = workingDtype(method, spec);
  const { inputDtypes } = spec;
  const needsCast = (role: InputRole): boolean => {
    const dtype = inputDtypes?.[inputs.findIndex((r) => sameRole(r, role))];
    return role.kind !== "companion" && working !== undefined && !isExactIn(dtype, working);
  };
  const written = rootsOf(method, spec);
  const roots = written.map((root) => lowered(root, { method, working, needsCast }));
  const [output, ...scales] = canonical(roots) as [F32, ...F32[]];
  const nodes = topological([output, ...scales], never);
  const names = new Map(nodes.filter(isStatistic).map((s, i) => [s, `statistic[${i}]`]));
  const nameOf = (s: StatisticExpr): string => names.get(s)!;
  for (const s of names.keys()) {
    if (s.kind === "kthLargest" && s.exact && s.scope === "model")
      throw new RangeError(
        `${method.name}: an exact selection needs one index order, so its scope is a row or a tensor`,
      );
  }
  const ranks = nodes.filter((e) => e.op === "rank");
  if (topological(ranks, never).some(isStatistic))
    throw new TypeError(`${method.name}: rankInRow takes an expression without statistics`);
  for (const s of names.keys()) {
    if (s.scope === "row" && topological(s.args, never).some((e) => e.op === "rank"))
      throw new TypeError(`${method.name}: a statistic of a row takes an expression without rankInRow`);
  }
  const stages = stagesOf([...names.keys()], nameOf);
  const rowStages = stages.filter((s) => s.scope === "row");
  return {
    method,
    inputs,
    parameters: parameterNames([output, ...scales]),
    stages: stages.filter((s) => s.scope !== "row"),
    rowStages,
    ranks,
    drawn: nodes.filter((e): e is DrawnExpr => e.op === "drawn"),
    draws: working === undefined ? [] : drawsOf(written),
    rowwise: rowStages.length > 0 || ranks.length > 0,
    output,
    scales,
    nameOf,
  };
}

/** What a graph computes, as text: for digests of what decides a merge's bytes. */
export const graphText = ({ output, scales }: MergeGraph): string => textOf([output, ...scales]);

/** Scalars that a host gives of each tensor, as it gives values of parameters: see `MethodContext.layer`. */
export const LAYER_INDEX = "layerIndex";
export const LAYER_COUNT = "layerCount";

/** Models whose masks share an output element. */
export const MASKS_PER_ELEMENT = 8;

/** The output, then scalars that are wanted beside it. */
function rootsOf(method: MergeMethod, spec: Omit<GraphSpec, "method">): F32[] {
  const context = contextFor(method, spec);
  const artefact = method.artefact?.(context);
  if (spec.masks === undefined) return [method.build(context), ...(artefact?.scales ?? [])];
  const from = spec.masks * MASKS_PER_ELEMENT;
  const masks = artefact?.masks.slice(from, from + MASKS_PER_ELEMENT) ?? [];
  if (masks.length === 0) throw new RangeError(`${method.name}: there are no masks from model ${from} on`);
  return [sum(masks.map((mask, i) => select(mask, 2 ** i, 0)))];
}

/** Graphs of different working dtypes have the same statistics: which dtype `own` is matters to programs only. */
function workingDtype(method: MergeMethod, { working, inputDtypes }: Spec): WorkingDType | undefined {
  const [own] = inputDtypes ?? [];
  if (working !== "own") return working;
  if (own === undefined || isWorkingDType(own)) return own ?? "F32";
  throw new RangeError(`${method.name}: mergekit does not compute in ${own}`);
}

/** Whether every number of the dtype is one of the working dtype. */
const isExactIn = (dtype: DTypeName | undefined, working: WorkingDType): boolean =>
  dtype === working ||
  (dtype === "BF16" && working === "F32") ||
  (dtype !== undefined && ["F16", "F8_E4M3", "F8_E5M2"].includes(dtype) && working !== "BF16");

export const sameRole = (a: InputRole, b: InputRole): boolean => JSON.stringify(a) === JSON.stringify(b);

function drawsOf(written: readonly Expr[]): MergeGraph["draws"] {
  const found = topological(written, never).flatMap((e) =>
    e.op === "random" ? [[e.stream, e.args[0] as Mask | undefined] as const] : [],
  );
  return [...new Map(found)].map(([stream, when]) => ({ stream, when })).sort((a, b) => a.stream - b.stream);
}

function checkSpec(method: MergeMethod, spec: Omit<GraphSpec, "method">): void {
  const fail = (rule: string): never => {
    throw new RangeError(`${method.name}: ${rule}`);
  };
  if (method.base === "required" && !spec.hasBase) fail("a base model is required");
  if (spec.models < method.minModels) fail(`at least ${method.minModels} models are required, got ${spec.models}`);
  if (method.maxModels !== undefined && spec.models > method.maxModels)
    fail(`at most ${method.maxModels} models are possible, got ${spec.models}`);
  for (const [name, value] of Object.entries(spec.options)) {
    const parameter = method.parameters[name];
    if (!parameter || parameter.kind === "number") fail(`${name} is not one of its options`);
    else if (parameter.kind === "boolean" ? typeof value !== "boolean" : !parameter.choices.includes(value as string))
      fail(`${name} must be ${parameter.kind === "boolean" ? "true or false" : parameter.choices.join(", ")}`);
  }
}

function inputRoles(method: MergeMethod, spec: Omit<GraphSpec, "method">): InputRole[] {
  const models = Array.from({ length: spec.models }, (_, model) => model);
  const hasBase = spec.hasBase && method.base !== "none";
  return [
    ...(hasBase ? [{ kind: "base" } as const] : []),
    ...models.map((model) => ({ kind: "model", model }) as const),
    ...method.companions.flatMap((companion) =>
      models.map((model) => ({ kind: "companion", companion, model }) as const),
    ),
  ];
}

function contextFor(method: MergeMethod, spec: Omit<GraphSpec, "method">): MethodContext {
  const models = Array.from({ length: spec.models }, (_, model) => model);
  const find = (name: string, kind: Parameter["kind"], scope?: Parameter["scope"]): Parameter => {
    const parameter = method.parameters[name];
    if (parameter?.kind !== kind || (scope && parameter.scope !== scope))
      throw new TypeError(`${method.name} declares no ${scope ?? ""} ${kind} parameter ${name}`);
    return parameter;
  };
  const option = (name: string, kind: "boolean" | "enum") => {
    const parameter = find(name, kind);
    return spec.options[name] ?? parameter.default;
  };
  return {
    asMergekit: spec.working !== undefined,
    get base(): F32 {
      if (!spec.hasBase || method.base === "none") throw new TypeError(`${method.name} has no base here`);
      return input({ kind: "base" });
    },
    hasBase: spec.hasBase && method.base !== "none",
    models: models.map((model) => input({ kind: "model", model })),
    companions: (companion) => {
      if (!method.companions.includes(companion))
        throw new TypeError(`${method.name} declares no companion ${companion}`);
      return models.map((model) => input({ kind: "companion", companion, model }));
    },
    param: (name) => {
      find(name, "number", "global");
      return param(name);
    },
    params: (name) => {
      find(name, "number", "model");
      return models.map((model) => param(`${name}[${model}]`));
    },
    layer: { index: param(LAYER_INDEX), count: param(LAYER_COUNT) },
    flag: (name) => option(name, "boolean") === true,
    choice: (name) => String(option(name, "enum")),
  };
}

function parameterNames(roots: readonly Expr[]): string[] {
  const nodes = topological(roots, never);
  const names = nodes.flatMap((e): string[] => {
    if (e.op === "param") return [e.name];
    if (e.op === "random") return [RANDOM_KEY];
    return e.op === "drawn" ? [RANDOM_SEED, randomOffset(e.stream)] : [];
  });
  return [...new Set(names)].sort();
}

/** Groups statistics (given arguments first) into stages, each after those it depends on. */
function stagesOf(statistics: readonly StatisticExpr[], nameOf: (s: StatisticExpr) => string): Stage[] {
  const level = new Map<StatisticExpr, number>();
  for (const s of statistics) {
    const below = topological(s.args, never).filter(isStatistic);
    level.set(s, 1 + Math.max(0, ...below.map((b) => level.get(b)!)));
  }
  const groups = new Map<string, StatisticExpr[]>();
  const byLevel = statistics.toSorted((a, b) => level.get(a)! - level.get(b)!);
  for (const s of byLevel) {
    const key = `${level.get(s)} ${s.scope} ${familyOf(s)}`;
    groups.set(key, [...(groups.get(key) ?? []), s]);
  }
  return [...groups.values()].map((group) => ({
    scope: group[0]!.scope,
    family: familyOf(group[0]!),
    statistics: group,
    outputs: group.flatMap((s) => outputsOf(s, nameOf)),
    parameters: parameterNames(group.flatMap((s) => s.args)),
  }));
}

const familyOf = (s: StatisticExpr): "reduce" | "select" => (s.kind === "kthLargest" ? "select" : "reduce");
export const cutoffName = (name: string): string => `${name}.cutoff`;
/** The name under which a host gives a `cut` its value for the next call. */
export const cutName = (name: string): string => `${name}.cut`;
const outputsOf = (s: StatisticExpr, nameOf: (s: StatisticExpr) => string): string[] =>
  s.exact ? [nameOf(s), cutoffName(nameOf(s))] : [nameOf(s)];
