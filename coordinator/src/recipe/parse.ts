/**
 * Recipe text to a validated Recipe. Follows mergekit's schema (`config.py`) for one merge, and is strict where mergekit is
 * silent: unknown keys and parameters are problems, features that are not built are refused by name, and all problems come at once.
 */
import { type DType, isFloat, parseDTypeName } from "@amalgam/checkpoint";
import { isFloatDType, type MergeMethod } from "@amalgam/kernels";
import { readArithmetic } from "./arithmetic.ts";
import { checkCompleteness } from "./completeness.ts";
import { readEvaluate } from "./evaluate-section.ts";
import { readFisher } from "./fisher-section.ts";
import { readModulesSection, readSlicesSection } from "./layout-section.ts";
import { type LocatedEntry, type LocatedMap, locate } from "./located.ts";
import { mergedModels, methodNamed, unscorable } from "./methods.ts";
import { readModels, readReference } from "./models.ts";
import { readParameters } from "./parameters.ts";
import { partsOf } from "./parts.ts";
import { RecipeProblems } from "./problems.ts";
import { type Entries, Reader } from "./reader.ts";
import { splitReference } from "./reference.ts";
import { readSearch } from "./search-section.ts";
import { orderStages, readStageName, type Stage, type StageDocument } from "./stages.ts";
import { readChatTemplate, readTokenizerSection } from "./tokenizer-section.ts";
import type {
  EvaluateSection,
  MergeSettings,
  OutputModule,
  OutputSlice,
  PartSource,
  Recipe,
  RecipeModel,
  SearchSection,
  SliceSource,
} from "./types.ts";
import { variantNameClash } from "./variants.ts";

const KEYS = [
  "merge_method",
  "base_model",
  "models",
  "slices",
  "modules",
  "parameters",
  "arithmetic",
  "dtype",
  "out_dtype",
  "exclude",
  "tokenizer_source",
  "tokenizer",
  "chat_template",
  "seed",
  "evaluate",
  "fisher",
  "search",
  "name",
];

/** People write a few; each is a merge with files of its own. */
const MAX_STAGES = 100;

export interface ParseRecipeOptions {
  /** How errors name the recipe. */
  readonly fileName: string;
}

/**
 * The recipe of a text; of several documents, that of the output. Throws RecipeProblems, with every problem and its line.
 */
export function parseRecipe(text: string, options: ParseRecipeOptions): Recipe {
  return (parseStages(text, options).at(-1) as Stage).recipe;
}

/** The merges of a text in the order in which they are made; the output is the last. Throws RecipeProblems as `parseRecipe`. */
export function parseStages(text: string, { fileName }: ParseRecipeOptions): Stage[] {
  const reader = new Reader();
  const roots = locate(text, reader.problems) ?? [];
  if (roots.length > MAX_STAGES) reader.fail(1, `more than ${MAX_STAGES} stages`);
  const documents: StageDocument[] = [];
  for (const [index, root] of roots.entries()) {
    if (root.kind === "scalar" && root.value === null && roots.length > 1) {
      reader.fail(root.line, `stage ${index + 1} is empty: remove the \`---\` before it`);
      continue;
    }
    if (root.kind !== "map") {
      reader.fail(root.line, "a recipe is a mapping that starts with `merge_method:`");
      continue;
    }
    const recipe = readRecipe(reader, root);
    const name = readStageName(reader, root);
    if (recipe !== undefined) documents.push({ name, recipe, line: root.line });
  }
  const complete = reader.problems.length === 0 && documents.length > 0;
  const stages = complete ? orderStages(reader, documents) : [];
  if (reader.problems.length > 0) {
    const sorted = reader.problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
    throw new RecipeProblems(fileName, sorted);
  }
  return stages;
}

function readRecipe(reader: Reader, root: LocatedMap): Recipe | undefined {
  const entries = reader.map(root, "the recipe", KEYS, (key) => explainKey(key, writtenMethod(root))) ?? root.entries;
  const methodEntry = reader.required(entries, "merge_method", root.line, "a recipe");
  const methodName = methodEntry && reader.text(methodEntry.value, "`merge_method`");
  const found = methodName === undefined ? undefined : methodNamed(methodName);
  if (typeof found === "string") reader.fail(methodEntry?.value.line ?? root.line, found);
  const method = typeof found === "string" ? undefined : found;

  const baseEntry = entries.get("base_model");
  // A base that was refused is not missing as well: no path stands for it.
  const base = baseEntry && (readReference(reader, baseEntry.value, "`base_model`") ?? "");
  const body = readBody(reader, entries, root.line, method);
  const exclude = readExclude(reader, entries);
  const tokenizer = readTokenizerSection(reader, entries);
  const chatTemplate = readChatTemplate(reader, entries);
  const seedEntry = entries.get("seed");
  const seed = seedEntry && reader.number(seedEntry.value, "`seed`", { low: 0, integer: true });
  const dtype = readDType(reader, entries, "dtype");
  const outDtype = readDType(reader, entries, "out_dtype");
  const arithmetic = readArithmetic(reader, entries, { dtype, seed });
  const evaluateEntry = entries.get("evaluate");
  const evaluate = evaluateEntry && readEvaluate(reader, evaluateEntry.value, base, body);
  if (method === undefined) return undefined;
  checkArtefact(reader, entries, method, base);
  const problem = evaluateEntry && unscorable(method);
  if (problem !== undefined) reader.fail(evaluateEntry?.line ?? root.line, problem);

  const { modules } = body;
  if (modules !== undefined && method.artefact !== undefined)
    reader.fail(methodEntry?.line ?? root.line, `\`${method.name}\` merges whole models: list them under \`models\``);
  const models = modules === undefined ? mergedModels(method, base, body.models) : partModels(method, body, base);
  const parametersNode = entries.get("parameters")?.value;
  const parameters =
    parametersNode === undefined ? {} : readParameters(reader, parametersNode, method, "merge", "`parameters`");
  const merge: MergeSettings = {
    method: method.name,
    parameters,
    models,
    ...(modules === undefined ? {} : { modules }),
  };
  const fisherEntry = entries.get("fisher");
  const fisher =
    fisherEntry &&
    readFisher(reader, fisherEntry.value, {
      ...{ method, merge, base, evaluate, hasEvaluate: evaluateEntry !== undefined },
      lineOf: (model) => body.lines.get(model),
    });
  const search = readSearchEntry(reader, entries, method, merge, evaluate);
  const searched = searchedParameters(method, search, entries.has("search"));
  // A model that could not be read was told so; counting the others would add nothing.
  if (body.complete) {
    const lines = {
      method: methodEntry?.line ?? root.line,
      of: (written: PartSource["written"]) => body.lines.get(written),
    };
    checkCompleteness(reader, method, merge, base, searched, lines);
  }
  const recipe: Recipe = {
    ...merge,
    ...(base === undefined ? {} : { base }),
    arithmetic,
    ...(dtype === undefined ? {} : { dtype }),
    ...(outDtype === undefined ? {} : { outDtype }),
    exclude,
    ...(tokenizer === undefined ? {} : { tokenizer }),
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    seed: seed ?? 0,
    ...(evaluate === undefined ? {} : { evaluate }),
    ...(fisher === undefined ? {} : { fisher }),
    ...(search === undefined ? {} : { search }),
  };
  const clash = reader.problems.length === 0 ? variantNameClash(recipe) : undefined;
  if (clash !== undefined) reader.fail(evaluateEntry?.line ?? root.line, clash);
  return recipe;
}

/** What is merged, as the recipe lists it. */
interface RecipeBody {
  readonly models: readonly RecipeModel[];
  readonly modules?: readonly OutputModule[];
  readonly lines: ReadonlyMap<RecipeModel | SliceSource | OutputSlice, number>;
  /** False where something could not be read, and was told. */
  readonly complete: boolean;
}

function readBody(reader: Reader, entries: Entries, line: number, method: MergeMethod | undefined): RecipeBody {
  const [first, second] = ["models", "slices", "modules"].filter((key) => entries.has(key));
  if (first === undefined) {
    reader.fail(line, "a recipe needs `models` (or `slices`, or `modules`)");
    return { models: [], lines: new Map(), complete: false };
  }
  const { line: at, value } = entries.get(first) as LocatedEntry;
  if (second !== undefined) reader.fail(at, `a recipe has \`${first}\` or \`${second}\`, not both`);
  if (first === "slices") return readSlicesSection(reader, value, method);
  if (first === "modules") return readModulesSection(reader, value, method);
  const lines = readModels(reader, value, method);
  return { models: [...lines.keys()], lines, complete: value.kind === "list" && value.items.length === lines.size };
}

/** The models that some part of the merge merges: all but a base that is nothing else. */
function partModels(method: MergeMethod, { models, modules }: RecipeBody, base: string | undefined): RecipeModel[] {
  const parts = partsOf(
    { method: method.name, parameters: {}, models, ...(modules === undefined ? {} : { modules }) },
    base,
  );
  const merged = new Set(parts.flatMap(({ sources }) => sources.map(({ model }) => model.path)));
  return models.filter(({ path }) => merged.has(path));
}

/** An artefact is applied to the base as it is published: with its own tokenizer, and without an adapter. */
function checkArtefact(reader: Reader, entries: Entries, method: MergeMethod, base: string | undefined): void {
  if (method.artefact === undefined) return;
  for (const key of ["tokenizer_source", "tokenizer", "chat_template"]) {
    const entry = entries.get(key);
    if (entry !== undefined)
      reader.fail(entry.line, `\`${key}\` does not go with \`${method.name}\`, which leaves the base as it is`);
  }
  const entry = entries.get("base_model");
  if (entry !== undefined && splitReference(base ?? "").adapter !== undefined) {
    reader.fail(
      entry.line,
      `\`${method.name}\` needs a base without an adapter: it is what the artefact is applied to`,
    );
  }
}

/** The method where its name is written as it must be. */
function writtenMethod(root: LocatedMap): MergeMethod | undefined {
  const node = root.entries.get("merge_method")?.value;
  const found = node?.kind === "scalar" && typeof node.value === "string" ? methodNamed(node.value) : undefined;
  return typeof found === "string" ? undefined : found;
}

/** A section whose coefficients were all refused could have been meant for any parameter. */
function searchedParameters(method: MergeMethod, search: SearchSection | undefined, written: boolean): Set<string> {
  const names = search?.coefficients.map(({ parameter }) => parameter) ?? [];
  return new Set(written && names.length === 0 ? Object.keys(method.parameters) : names);
}

function explainKey(key: string, method: MergeMethod | undefined): string | undefined {
  if (key === "experts" || key === "gate_mode") return `\`${key}\`: mixtures of experts are not built`;
  if (method !== undefined && Object.hasOwn(method.parameters, key)) {
    return `\`${key}\` is a parameter: put it under \`parameters:\``;
  }
  return undefined;
}

function readSearchEntry(
  reader: Reader,
  entries: Entries,
  method: MergeMethod,
  merge: MergeSettings,
  evaluate: EvaluateSection | undefined,
): SearchSection | undefined {
  const entry = entries.get("search");
  if (entry === undefined) return undefined;
  if (evaluate === undefined && !entries.has("evaluate")) {
    reader.fail(entry.line, "`search` needs an `evaluate` section: its tasks are what the search improves");
  }
  return readSearch(reader, entry.value, method, merge);
}

function readDType(reader: Reader, entries: Entries, key: string): DType | undefined {
  const entry = entries.get(key);
  // mergekit's own files write `out_dtype: null`.
  if (entry === undefined || (entry.value.kind === "scalar" && entry.value.value === null)) return undefined;
  const name = reader.text(entry.value, `\`${key}\``);
  const dtype = name === undefined ? undefined : parseDTypeName(name);
  if (name === undefined) return undefined;
  if (dtype !== undefined && isFloat(dtype) && isFloatDType(dtype)) return dtype;
  return reader.fail(
    entry.value.line,
    `\`${key}\` must be a floating type such as float32, bfloat16 or float16, not ${name}`,
  );
}

function readExclude(reader: Reader, entries: Entries): string[] {
  const patterns: string[] = [];
  const entry = entries.get("exclude");
  for (const item of (entry && reader.list(entry.value, "`exclude`")) ?? []) {
    const pattern = reader.text(item, "each item of `exclude`");
    if (pattern === undefined) continue;
    try {
      new RegExp(pattern);
      patterns.push(pattern);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      reader.fail(item.line, `\`exclude\`: ${reason}`);
    }
  }
  return patterns;
}
