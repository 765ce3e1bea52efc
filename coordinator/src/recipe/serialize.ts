/** The canonical text of a recipe: what the manifest and the model card show, and what `parseRecipe` reads back as the same recipe. */
import { torchDTypeName } from "@amalgam/checkpoint";
import { stringify } from "yaml";
import { partsOf } from "./parts.ts";
import { type Pins, pinDocument } from "./pins.ts";
import { settingDocument } from "./setting.ts";
import type {
  Coefficient,
  Comparison,
  MergeSettings,
  OutputModule,
  OutputSlice,
  Recipe,
  RecipeModel,
  SearchConstraint,
  SearchObjective,
  SearchSection,
  Setting,
  Settings,
  TokenizerSection,
  TokenSourceRecipe,
} from "./types.ts";

/** YAML text, with pinned references; keys in a fixed order, so that equal recipes have equal texts. */
export function stringifyRecipe(recipe: Recipe, pins: Pins = {}): string {
  return stringify(pinDocument(recipeDocument(recipe), pins), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The same as plain JSON data. */
export function recipeDocument(recipe: Recipe): Record<string, unknown> {
  const { method, base, parameters, arithmetic, dtype, outDtype, exclude, tokenizer, chatTemplate } = recipe;
  const { seed, evaluate, fisher, search } = recipe;
  return defined({
    merge_method: method,
    base_model: base,
    ...bodyDocument(recipe),
    parameters: settingsDocument(parameters),
    arithmetic: arithmetic === "float32" ? undefined : arithmetic,
    dtype: dtype && torchDTypeName(dtype),
    out_dtype: outDtype && torchDTypeName(outDtype),
    exclude: exclude.length === 0 ? undefined : exclude,
    tokenizer: tokenizer && tokenizerDocument(tokenizer),
    chat_template: chatTemplate,
    seed,
    evaluate:
      evaluate &&
      defined({
        tasks: evaluate.tasks,
        split: evaluate.split,
        confirm: evaluate.confirm,
        graph: evaluate.graph,
        objective: evaluate.objective,
        compare: evaluate.compare.length === 0 ? undefined : evaluate.compare.map(comparisonDocument),
      }),
    fisher: fisher && defined({ ...fisher, tasks: Object.keys(fisher.tasks).length === 0 ? undefined : fisher.tasks }),
    search: search && searchDocument(search),
  });
}

function searchDocument(search: SearchSection): Record<string, unknown> {
  const { strategy, parallel, coefficients, start, constraints } = search;
  const objective = objectiveDocument(search.objective);
  if (strategy === "greedy_soup") return defined({ strategy, parallel, objective });
  return defined({
    strategy: strategy === "bayesian" ? undefined : strategy,
    trials: search.trials,
    initial_trials: search.initialTrials,
    parallel,
    racing: search.racing || undefined,
    objective,
    constraints: constraints.length === 0 ? undefined : constraints.map(constraintDocument),
    stop: search.stop === "never" ? undefined : search.stop,
    warm_start: search.warmStart,
    coefficients: Object.fromEntries(coefficients.map(coefficientEntry)),
    coarse_to_fine: search.stages && Object.fromEntries(search.stages.map(({ name, trials }) => [name, trials])),
    start: start.length === 0 ? undefined : start,
  });
}

function objectiveDocument({ kind, weights, normalised }: SearchObjective): unknown {
  if (weights === undefined && !normalised) return kind === "mean" ? undefined : kind;
  return defined({ kind, weights, normalised: normalised || undefined });
}

const constraintDocument = ({ task, kind, amount }: SearchConstraint): Record<string, unknown> =>
  task === undefined ? { [`every_task_${kind}`]: amount } : { task, [kind]: amount };

function coefficientEntry({ parameter, per, layers, ...rest }: Coefficient): [string, Record<string, unknown>] {
  if (rest.simplex) return [parameter, { per, simplex: true }];
  const ranges = typeof layers === "object" ? layers.map(({ first, end }) => [first, end]) : layers;
  return [parameter, defined({ per, layers: ranges, ...rest })];
}

/** `models`, `slices` or `modules`. */
function bodyDocument({ models, modules }: MergeSettings): Record<string, unknown> {
  if (modules === undefined) return { models: models.map(modelDocument) };
  const named = new Map(models.map((model) => [model.path, model]));
  const [only] = modules;
  if (only !== undefined && only.name === undefined) {
    return { slices: only.slices.map((slice) => sliceDocument(slice, named)) };
  }
  return { modules: Object.fromEntries(modules.map((module) => [module.name, moduleDocument(module, named)])) };
}

function moduleDocument({ slices, parameters }: OutputModule, models: ReadonlyMap<string, RecipeModel>): unknown {
  const whole = slices.flatMap(({ sources }) => sources).every(({ layers }) => layers === undefined);
  const documents = slices.map((slice) => sliceDocument(slice, models));
  const body = whole ? { models: documents[0]?.["sources"] } : { slices: documents };
  return defined({ ...body, parameters: settingsDocument(parameters) });
}

function sliceDocument(
  { sources, base, parameters }: OutputSlice,
  models: ReadonlyMap<string, RecipeModel>,
): Record<string, unknown> {
  return defined({
    sources: sources.map((source) =>
      defined({
        model: source.path,
        layer_range: source.layers && [source.layers.first, source.layers.end],
        name: models.get(source.path)?.name,
        ...models.get(source.path)?.companions,
        parameters: settingsDocument(source.parameters),
      }),
    ),
    base_model: base,
    parameters: settingsDocument(parameters),
  });
}

function modelDocument({ path, name, parameters, companions }: RecipeModel): Record<string, unknown> {
  return defined({ model: path, name, ...companions, parameters: settingsDocument(parameters) });
}

function tokenizerDocument({ source, tokens, padToMultipleOf }: TokenizerSection): Record<string, unknown> {
  const entries = [...tokens].map(([token, { source: from, force }]) => {
    return [token, defined({ source: from && tokenSourceDocument(from), force: force || undefined })];
  });
  return defined({
    source: source.kind === "model" ? source.path : source.kind,
    tokens: entries.length === 0 ? undefined : Object.fromEntries(entries),
    pad_to_multiple_of: padToMultipleOf,
  });
}

function tokenSourceDocument(source: TokenSourceRecipe): unknown {
  switch (source.kind) {
    case "zero":
      return { kind: "zero" };
    case "model":
      return source.model;
    case "token":
      return { kind: "model_token", model: source.model, token: source.token };
    case "id":
      return { kind: "model_token", model: source.model, token_id: source.id };
    default:
      return source satisfies never;
  }
}

function comparisonDocument(comparison: Comparison): unknown {
  if (comparison.kind === "models") return "models";
  const { method, parameters } = comparison.merge;
  const weights = partsOf(comparison.merge, undefined).flatMap(({ sources }) =>
    sources.flatMap((source) => {
      const weight: Setting | undefined = source.parameters["weight"];
      return weight === undefined ? [] : [[source.model.name, settingDocument(weight)] as const];
    }),
  );
  return defined({
    name: comparison.name,
    merge_method: method,
    parameters: settingsDocument(parameters),
    weights: weights.length === 0 ? undefined : Object.fromEntries(weights),
  });
}

function settingsDocument(settings: Settings): Record<string, unknown> | undefined {
  const names = Object.keys(settings).toSorted();
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, settingDocument(settings[name] as Setting)]));
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
