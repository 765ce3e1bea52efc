/** Reads `slices:` and `modules:`: merged models made of layers of others. What a checkpoint must be to fit is the planner's to say. */
import type { MergeMethod } from "@amalgam/kernels";
import { readLayerRange } from "./layer-sets.ts";
import type { Located } from "./located.ts";
import { explainParameter } from "./methods.ts";
import { distinctModels, type ModelDraft, readModel, readReference } from "./models.ts";
import { readParameters } from "./parameters.ts";
import type { Entries, Reader } from "./reader.ts";
import type { LayerRange, OutputModule, OutputSlice, RecipeModel, Settings, SliceSource } from "./types.ts";

/** What a recipe's `slices` or `modules` say, with the lines of sources and slices. */
export interface LayoutSection {
  readonly modules: readonly OutputModule[];
  /** Every model that is named, once. */
  readonly models: readonly RecipeModel[];
  readonly lines: ReadonlyMap<SliceSource | OutputSlice, number>;
  /** False where something could not be read, and was told. */
  readonly complete: boolean;
}

interface Context {
  readonly reader: Reader;
  /** Without one, parameters are left unread. */
  readonly method: MergeMethod | undefined;
  readonly drafts: ModelDraft[];
  readonly lines: Map<SliceSource | OutputSlice, number>;
}

export function readSlicesSection(reader: Reader, node: Located, method: MergeMethod | undefined): LayoutSection {
  return section(reader, method, (context) => [{ slices: readSlices(context, node), parameters: {} }]);
}

export function readModulesSection(reader: Reader, node: Located, method: MergeMethod | undefined): LayoutSection {
  return section(reader, method, (context) => {
    if (node.kind !== "map" || node.entries.size === 0) {
      reader.fail(
        node.line,
        "`modules` must be a mapping of module names to `{slices, parameters}` or `{models, parameters}`",
      );
      return [];
    }
    return [...node.entries].map(([name, { value }]) => readModule(context, name, value));
  });
}

function section(
  reader: Reader,
  method: MergeMethod | undefined,
  read: (context: Context) => OutputModule[],
): LayoutSection {
  const before = reader.problems.length;
  const context: Context = { reader, method, drafts: [], lines: new Map() };
  const modules = read(context);
  const complete = reader.problems.length === before;
  return { modules, models: [...distinctModels(reader, context.drafts).values()], lines: context.lines, complete };
}

function readModule(context: Context, name: string, node: Located): OutputModule {
  const { reader } = context;
  const what = `module \`${name}\``;
  const entries = reader.map(node, what, ["slices", "models", "parameters"], explainParameter) ?? new Map();
  const slicesEntry = entries.get("slices");
  const modelsEntry = entries.get("models");
  if (entries.size > 0 && (slicesEntry === undefined) === (modelsEntry === undefined)) {
    reader.fail(node.line, `${what} needs either \`slices\` or \`models\``);
  }
  const parameters = readLevel(context, entries, what);
  if (slicesEntry !== undefined) return { name, slices: readSlices(context, slicesEntry.value), parameters };
  const sources = modelsEntry === undefined ? [] : readSources(context, modelsEntry.value, "`models`", what);
  const slice: OutputSlice = { sources, parameters: {} };
  context.lines.set(slice, node.line);
  return { name, slices: [slice], parameters };
}

function readSlices(context: Context, node: Located): OutputSlice[] {
  const items = context.reader.list(node, "`slices`");
  if (items?.length === 0) context.reader.fail(node.line, "`slices` is empty: name at least one slice");
  return (items ?? []).map((item, index) => readSlice(context, item, `slice ${index + 1}`));
}

function readSlice(context: Context, node: Located, what: string): OutputSlice {
  const { reader, lines } = context;
  // mergekit reads `residual_weight` and does nothing with it.
  const keys = ["sources", "base_model", "parameters", "residual_weight"];
  const entries = reader.map(node, what, keys, explainParameter) ?? new Map();
  const sourcesEntry = entries.size === 0 ? undefined : reader.required(entries, "sources", node.line, what);
  const sources = sourcesEntry === undefined ? [] : readSources(context, sourcesEntry.value, "`sources`", what);
  const baseEntry = entries.get("base_model");
  const base = baseEntry && readReference(reader, baseEntry.value, `\`base_model\` of ${what}`);
  const slice = { sources, ...(base === undefined ? {} : { base }), parameters: readLevel(context, entries, what) };
  lines.set(slice, node.line);
  checkLengths(context, slice, node.line, what);
  return slice;
}

function readLevel({ reader, method }: Context, entries: Entries, what: string): Settings {
  const written = entries.get("parameters")?.value;
  if (written === undefined || method === undefined) return {};
  return readParameters(reader, written, method, "merge", `the parameters of ${what}`);
}

function readSources(context: Context, node: Located, list: "`sources`" | "`models`", of: string): SliceSource[] {
  const { reader, method, drafts, lines } = context;
  const items = reader.list(node, list);
  if (items?.length === 0) reader.fail(node.line, `${list} of ${of} is empty: name at least one model`);
  const sources: SliceSource[] = [];
  const layered = list === "`sources`";
  for (const item of items ?? []) {
    const draft = readModel(reader, item, list, layered ? ["layer_range"] : []);
    if (draft === undefined) continue;
    const { path, line, parameters: written, entries } = draft;
    const layers = layered ? readLayers(reader, entries, line, path) : undefined;
    const where = `the parameters of model \`${path}\``;
    const parameters =
      written === undefined || method === undefined ? {} : readParameters(reader, written, method, "model", where);
    if (sources.some((source) => source.path === path)) {
      reader.fail(
        line,
        `${of} names model \`${path}\` twice: a model can be merged with itself only as a copy under another path`,
      );
      continue;
    }
    drafts.push(draft);
    const source = { path, ...(layers === undefined ? {} : { layers }), parameters };
    lines.set(source, line);
    sources.push(source);
  }
  return sources;
}

function readLayers(reader: Reader, entries: Entries, line: number, path: string): LayerRange | undefined {
  const entry = reader.required(entries, "layer_range", line, `model \`${path}\``);
  if (entry === undefined) return undefined;
  return readLayerRange(reader, entry.value, entry.line, `\`layer_range\` of model \`${path}\``);
}

function checkLengths({ reader }: Context, { sources }: OutputSlice, line: number, what: string): void {
  const lengths = sources.flatMap(({ path, layers }) =>
    layers === undefined ? [] : [{ path, count: layers.end - layers.first }],
  );
  const [first] = lengths;
  const other = lengths.find(({ count }) => count !== first?.count);
  if (first === undefined || other === undefined) return;
  reader.fail(
    line,
    `the sources of ${what} differ in length: ${first.count} layers of \`${first.path}\`, ${other.count} of \`${other.path}\``,
  );
}
