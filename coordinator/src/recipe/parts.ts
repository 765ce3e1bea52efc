/** The parts of a merge: mergekit's three ways of writing what is merged (`models`, `slices`, `modules`) as one list. */
import type { MergeMethod } from "@amalgam/kernels";
import { methodOf } from "./methods.ts";
import type { MergeSettings, OutputModule, OutputSlice, Part, PartSource, RecipeModel, Settings } from "./types.ts";

/** One part for whole models, else one for each slice of each module. `base` is the recipe's; a slice may have its own. */
export function partsOf(merge: MergeSettings, base: string | undefined): Part[] {
  const method = methodOf(merge);
  const used = method.base === "none" ? undefined : base;
  if (merge.modules === undefined) {
    return [
      {
        ...(used === undefined ? {} : { base: wholeSource(plainModel(used)) }),
        sources: merge.models.map(wholeSource),
        levels: [merge.parameters],
        options: optionsOf(method, [merge.parameters]),
      },
    ];
  }
  const models = new Map(merge.models.map((model) => [model.path, model]));
  return merge.modules.flatMap(({ name, slices, parameters }) =>
    slices.map((slice, index) => {
      const levels = [slice.parameters, parameters, merge.parameters];
      return {
        ...(name === undefined ? {} : { module: name }),
        slice: { index, count: slices.length },
        ...sourcesOf(slice, method, slice.base ?? used, models),
        levels,
        options: optionsOf(method, levels),
      };
    }),
  );
}

/** For messages: which part of a recipe; empty for whole models. */
export function partTitle({ module, slice }: Pick<Part, "module" | "slice">): string {
  const of = module === undefined ? "" : `module \`${module}\``;
  if (slice === undefined || (module !== undefined && slice.count === 1)) return of;
  return `slice ${slice.index + 1}${of === "" ? "" : ` of ${of}`}`;
}

/** The value of the first level that has one. */
export function givenAt(parameter: string, levels: readonly Settings[]): Settings[string] | undefined {
  return levels.find((settings) => Object.hasOwn(settings, parameter))?.[parameter];
}

/** Modules with other settings: `shared` for those of modules and slices, `own` for those of a source with that path. */
export function mapSettings(
  modules: readonly OutputModule[],
  shared: (settings: Settings) => Settings,
  own: (settings: Settings, path: string) => Settings,
): OutputModule[] {
  return modules.map((module) => ({
    ...module,
    parameters: shared(module.parameters),
    slices: module.slices.map((slice) => ({
      ...slice,
      parameters: shared(slice.parameters),
      sources: slice.sources.map((source) => ({ ...source, parameters: own(source.parameters, source.path) })),
    })),
  }));
}

function sourcesOf(
  { sources }: OutputSlice,
  method: MergeMethod,
  base: string | undefined,
  models: ReadonlyMap<string, RecipeModel>,
): Pick<Part, "base" | "sources"> {
  const parts = sources.map((source): PartSource => {
    const { path, layers, parameters } = source;
    const model = models.get(path) ?? plainModel(path);
    return { model, ...(layers === undefined ? {} : { layers }), parameters, written: source };
  });
  if (method.base === "none" || base === undefined) return { sources: parts };
  // Whole models are merged over their base whether it is listed or not; of which layers a slice's base is made must be said.
  const whole = sources.every(({ layers }) => layers === undefined);
  const own = parts.find(({ model }) => model.path === base) ?? (whole ? wholeSource(plainModel(base)) : undefined);
  return {
    ...(own === undefined ? {} : { base: own }),
    sources: parts.filter(({ model }) => model.path !== base),
  };
}

/** A checkpoint of which nothing but its place is known, as a base is. */
export const plainModel = (path: string): RecipeModel => ({ path, name: path, parameters: {}, companions: {} });

const wholeSource = (model: RecipeModel): PartSource => ({ model, parameters: model.parameters, written: model });

function optionsOf(method: MergeMethod, levels: readonly Settings[]): Record<string, boolean | string> {
  const options: Record<string, boolean | string> = {};
  for (const [key, parameter] of Object.entries(method.parameters)) {
    if (parameter.kind === "number" || parameter.ignored !== undefined) continue;
    const written = givenAt(key, levels);
    options[key] = typeof written === "boolean" || typeof written === "string" ? written : parameter.default;
  }
  return options;
}
