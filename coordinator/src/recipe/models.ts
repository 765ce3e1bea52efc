/** Reads items that name a model, and references to checkpoints: paths, URLs, names of the Hub, each with a LoRA adapter or without. */
import { CheckpointError, canonicalReference, referenceName } from "@amalgam/checkpoint";
import type { MergeMethod } from "@amalgam/kernels";
import type { Located } from "./located.ts";
import { companionKinds, explainParameter } from "./methods.ts";
import { readParameters } from "./parameters.ts";
import type { Entries, Reader } from "./reader.ts";
import { joinReference, splitReference } from "./reference.ts";
import type { RecipeModel } from "./types.ts";

/** The models in recipe order, and the line of each. Without a method, parameters are left unread. */
export function readModels(reader: Reader, node: Located, method: MergeMethod | undefined): Map<RecipeModel, number> {
  const models = new Map<RecipeModel, number>();
  const items = reader.list(node, "`models`");
  if (items?.length === 0) reader.fail(node.line, "`models` is empty: name at least one checkpoint");
  const drafts: ModelDraft[] = [];
  for (const item of items ?? []) {
    const draft = readModel(reader, item, "`models`");
    if (draft !== undefined) drafts.push(draft);
  }
  const names = defaultNames(drafts.map(({ path }) => path));
  const taken = new Map<string, number>();
  for (const draft of drafts) {
    const name = draft.name ?? (names.get(draft.path) as string);
    const first = taken.get(name);
    if (first !== undefined) {
      reader.fail(
        draft.line,
        `two models are named \`${name}\` (the other on line ${first}): give one of them another \`name\``,
      );
      continue;
    }
    taken.set(name, draft.line);
    const { path, companions, parameters: written } = draft;
    const parameters =
      written === undefined || method === undefined
        ? {}
        : readParameters(reader, written, method, "model", `the parameters of model \`${name}\``);
    models.set({ path, name, parameters, companions }, draft.line);
  }
  return models;
}

/** An item that names a model, as far as it could be read. */
export interface ModelDraft {
  readonly line: number;
  readonly path: string;
  readonly name: string | undefined;
  readonly companions: Readonly<Record<string, string>>;
  readonly parameters: Located | undefined;
  /** What stands beside the keys of every model. */
  readonly entries: Entries;
}

/** Reads one item of a list such as `models`; `more` are keys that its items have besides a model's. */
export function readModel(
  reader: Reader,
  node: Located,
  list: string,
  more: readonly string[] = [],
): ModelDraft | undefined {
  const kinds = companionKinds();
  const entries = reader.map(
    node,
    `an item of ${list}`,
    ["model", ...more, "name", "parameters", ...kinds],
    explainParameter,
  );
  if (entries === undefined) return undefined;
  const model = reader.required(entries, "model", node.line, `each item of ${list}`);
  const path = model && readReference(reader, model.value, "`model`");
  const nameNode = entries.get("name")?.value;
  const name = nameNode && reader.text(nameNode, "`name`");
  const companions: Record<string, string> = {};
  for (const kind of kinds) {
    const entry = entries.get(kind);
    const text = entry && reader.text(entry.value, `\`${kind}\``);
    const file = entry && text && readLocation(reader, entry.value.line, `\`${kind}\``, text);
    if (file !== undefined) companions[kind] = file;
  }
  if (path === undefined) return undefined;
  return { line: node.line, path, name, companions, parameters: entries.get("parameters")?.value, entries };
}

/** The path of a checkpoint, written as text or as mergekit's mapping `{path: ...}`. */
export function readReference(reader: Reader, node: Located, what: string): string | undefined {
  if (node.kind === "map") return readReferenceMap(reader, node, what);
  const text = reader.text(node, what);
  if (text === undefined) return undefined;
  const { base, adapter } = splitReference(text);
  if (adapter === undefined) return readLocation(reader, node.line, what, base);
  if (base === "" || adapter === "" || adapter.includes("+")) {
    return reader.fail(node.line, `${what}: write one adapter behind its base, as \`base+adapter\``);
  }
  const [first, second] = [base, adapter].map((part) => readLocation(reader, node.line, what, part));
  return first && second && joinReference({ base: first, adapter: second });
}

/** One spelling for each checkpoint or file, so that a base among the models is recognised. */
function readLocation(reader: Reader, line: number, what: string, text: string): string | undefined {
  try {
    return canonicalReference(text);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return reader.fail(line, `${what}: ${error.message}`);
  }
}

function readReferenceMap(reader: Reader, node: Located, what: string): string | undefined {
  const unsupported = new Map([["override_architecture", "other architectures than the checkpoint's own"]]);
  const entries = reader.map(node, what, ["path", "model", "revision", "lora"], (key) => {
    const feature = unsupported.get(key);
    return feature === undefined ? undefined : `\`${key}\` of ${what}: ${feature} are not supported`;
  });
  const inner = entries?.get("path") ?? entries?.get("model");
  if (entries !== undefined && inner === undefined) reader.fail(node.line, `${what} needs \`path\``);
  const path = inner && readReference(reader, inner.value, what);
  const base = path && readRevision(reader, entries, path, what);
  const lora = entries?.get("lora");
  if (base === undefined || lora === undefined || isNull(lora.value)) return base;
  const adapter = readReference(reader, lora.value, `\`lora\` of ${what}`);
  if (adapter === undefined) return undefined;
  if (!base.includes("+") && !adapter.includes("+")) return joinReference({ base, adapter });
  return reader.fail(lora.line, `${what}: a model has one adapter, and an adapter has none`);
}

/** The reference with the revision that stands beside it in a mapping. */
function readRevision(reader: Reader, entries: Entries | undefined, path: string, what: string): string | undefined {
  const entry = entries?.get("revision");
  if (entry === undefined || isNull(entry.value)) return path;
  const revision = reader.text(entry.value, `\`revision\` of ${what}`);
  if (revision === undefined) return undefined;
  if (!/[@+]/.test(path)) return readLocation(reader, entry.line, what, `${path}@${revision}`);
  return reader.fail(entry.line, `${what}: \`${path}\` and a \`revision\` beside it: name one revision`);
}

const isNull = (node: Located): boolean => node.kind === "scalar" && node.value === null;

/** The models of items that may name one several times, by path, each with what any of its items says of it. */
export function distinctModels(reader: Reader, drafts: readonly ModelDraft[]): Map<string, RecipeModel> {
  const defaults = defaultNames(drafts.map(({ path }) => path));
  const models = new Map<string, RecipeModel>();
  const owners = new Map<string, string>();
  for (const [path, items] of Map.groupBy(drafts, (draft) => draft.path)) {
    const named = items.filter((item) => item.name !== undefined);
    const name = named[0]?.name ?? (defaults.get(path) as string);
    for (const { name: other, line } of named) {
      if (other !== name)
        reader.fail(line, `model \`${path}\` is named \`${name}\` and \`${other}\`: give it one \`name\``);
    }
    const owner = owners.get(name);
    if (owner !== undefined) {
      reader.fail(
        items[0]?.line ?? 1,
        `two models are named \`${name}\` (\`${owner}\` and \`${path}\`): give one of them another \`name\``,
      );
    }
    owners.set(name, path);
    models.set(path, { path, name, parameters: {}, companions: companionsOf(reader, items) });
  }
  return models;
}

function companionsOf(reader: Reader, items: readonly ModelDraft[]): Record<string, string> {
  const companions: Record<string, string> = {};
  for (const { path, line, companions: written } of items) {
    for (const [kind, file] of Object.entries(written)) {
      const first = companions[kind] ?? file;
      if (first !== file)
        reader.fail(line, `model \`${path}\` has two files under \`${kind}\`: \`${first}\` and \`${file}\``);
      companions[kind] = first;
    }
  }
  return companions;
}

/** Short names of references (of a base with an adapter, the adapter's); where two are the same, the whole references. */
function defaultNames(paths: readonly string[]): Map<string, string> {
  const short = (path: string): string => {
    const { base, adapter } = splitReference(path);
    return referenceName(adapter ?? base);
  };
  const counts = new Map<string, number>();
  for (const path of new Set(paths)) counts.set(short(path), (counts.get(short(path)) ?? 0) + 1);
  return new Map(paths.map((path) => [path, counts.get(short(path)) === 1 ? short(path) : path]));
}
