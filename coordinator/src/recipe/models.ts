/** Reads the `models:` list and references to checkpoints. Revisions and Hub ids are recognised and refused by name. */
import { basename } from "node:path";
import type { MergeMethod } from "@amalgam/kernels";
import type { Located } from "./located.ts";
import { companionKinds } from "./methods.ts";
import { readParameters } from "./parameters.ts";
import type { Reader } from "./reader.ts";
import { joinReference, plainPath, splitReference } from "./reference.ts";
import type { RecipeModel } from "./types.ts";

/** The models in recipe order, and the line of each. Without a method, parameters are left unread. */
export function readModels(reader: Reader, node: Located, method: MergeMethod | undefined): Map<RecipeModel, number> {
  const models = new Map<RecipeModel, number>();
  const items = reader.list(node, "`models`");
  if (items?.length === 0) reader.fail(node.line, "`models` is empty: name at least one checkpoint");
  const drafts: Draft[] = [];
  for (const item of items ?? []) {
    const draft = readModel(reader, item);
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

interface Draft {
  readonly line: number;
  readonly path: string;
  readonly name: string | undefined;
  readonly companions: Readonly<Record<string, string>>;
  readonly parameters: Located | undefined;
}

function readModel(reader: Reader, node: Located): Draft | undefined {
  const kinds = companionKinds();
  const entries = reader.map(node, "an item of `models`", ["model", "name", "parameters", ...kinds]);
  if (entries === undefined) return undefined;
  const model = reader.required(entries, "model", node.line, "each item of `models`");
  const path = model && readReference(reader, model.value, "`model`");
  const nameNode = entries.get("name")?.value;
  const name = nameNode && reader.text(nameNode, "`name`");
  const companions: Record<string, string> = {};
  for (const kind of kinds) {
    const entry = entries.get(kind);
    const file = entry && reader.text(entry.value, `\`${kind}\``);
    if (file !== undefined) companions[kind] = file;
  }
  if (path === undefined) return undefined;
  return { line: node.line, path, name, companions, parameters: entries.get("parameters")?.value };
}

/** The path of a checkpoint, written as text or as mergekit's mapping `{path: ...}`. */
export function readReference(reader: Reader, node: Located, what: string): string | undefined {
  if (node.kind === "map") return readReferenceMap(reader, node, what);
  const text = reader.text(node, what);
  if (text === undefined) return undefined;
  if (text.includes("@")) {
    return reader.fail(
      node.line,
      `${what} \`${text}\`: revisions (\`model@revision\`) are not supported yet: give a local directory`,
    );
  }
  const { base, adapter } = splitReference(text);
  if (adapter === undefined) return plainPath(base);
  if (base === "" || adapter === "" || adapter.includes("+")) {
    return reader.fail(node.line, `${what} \`${text}\`: write one adapter behind its base, as \`base+adapter\``);
  }
  return joinReference({ base: plainPath(base), adapter: plainPath(adapter) });
}

function readReferenceMap(reader: Reader, node: Located, what: string): string | undefined {
  const unsupported = new Map([
    ["revision", "revisions"],
    ["override_architecture", "other architectures than the checkpoint's own"],
  ]);
  const entries = reader.map(node, what, ["path", "model", "lora"], (key) => {
    const feature = unsupported.get(key);
    return feature === undefined ? undefined : `\`${key}\` of ${what}: ${feature} are not supported yet`;
  });
  const inner = entries?.get("path") ?? entries?.get("model");
  if (entries !== undefined && inner === undefined) reader.fail(node.line, `${what} needs \`path\``);
  const base = inner && readReference(reader, inner.value, what);
  const lora = entries?.get("lora");
  if (base === undefined || lora === undefined || isNull(lora.value)) return base;
  const adapter = readReference(reader, lora.value, `\`lora\` of ${what}`);
  if (adapter === undefined) return undefined;
  if (!base.includes("+") && !adapter.includes("+")) return joinReference({ base, adapter });
  return reader.fail(lora.line, `${what}: a model has one adapter, and an adapter has none`);
}

const isNull = (node: Located): boolean => node.kind === "scalar" && node.value === null;

/** Base names of paths (of a base with an adapter, the adapter's); where two are the same, their whole paths. */
function defaultNames(paths: readonly string[]): Map<string, string> {
  const short = (path: string): string => {
    const { base, adapter } = splitReference(path);
    return basename(adapter ?? base);
  };
  const counts = new Map<string, number>();
  for (const path of new Set(paths)) counts.set(short(path), (counts.get(short(path)) ?? 0) + 1);
  return new Map(paths.map((path) => [path, counts.get(short(path)) === 1 ? short(path) : path]));
}
