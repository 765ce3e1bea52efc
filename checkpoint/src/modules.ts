// The layered parts of a model, by the names of its tensors alone: a language model has one stack of layers, T5 an encoder and a
// decoder, a vision-language model a tower and a language model. transformers numbers the layers of a stack between dots.

/** Where a tensor lies in a stack of layers: `model.layers` `.` 3 `.mlp.up_proj.weight`. */
export interface LayerPlace {
  readonly stack: string;
  readonly layer: number;
  /** What follows the number, with its dot. */
  readonly rest: string;
}

/** The first number between dots is the layer's; undefined for tensors outside of all layers. */
export function layerPlace(tensor: string): LayerPlace | undefined {
  const match = /\.(\d+)\./.exec(tensor);
  if (match === null) return undefined;
  const layer = Number(match[1]);
  if (!Number.isSafeInteger(layer)) return undefined;
  return { stack: tensor.slice(0, match.index), layer, rest: tensor.slice(match.index + match[0].length - 1) };
}

export interface ModelModule {
  /** The shortest prefix that no other module has, such as `vision_tower`; `default` for the only one. */
  readonly name: string;
  /** Name before the layers' numbers; undefined for a module without layers. */
  readonly stack: string | undefined;
  /** Layers that have tensors, by number. */
  readonly layers: ReadonlyMap<number, readonly string[]>;
  /** Tensors outside of the layers. */
  readonly outside: readonly string[];
}

interface ModuleDraft {
  stack: string | undefined;
  readonly layers: Map<number, string[]>;
  readonly outside: string[];
}

/** Name of the only module. */
const ONLY = "default";

/** Last words of the prefix of a text model beside other modules, whose output head has no prefix. */
const TEXT_MODULES = ["language_model", "text_model", "model", "decoder", "llm"];
const HEADS = ["lm_head", "embed_out", "proj_out", "score", "classifier"];

/** The modules of a model with these tensors, in the order of first mention; every tensor is in exactly one. Linear time. */
export function modulesOf(tensors: Iterable<string>): ModelModule[] {
  const names = [...tensors];
  const places = names.map((name) => layerPlace(name));
  const stacks = new Set(places.flatMap((place) => (place === undefined ? [] : [place.stack])));
  const moduleName: Namer = stacks.size > 1 ? namer(stacks) : () => ONLY;
  const drafts = new Map<string, ModuleDraft>();
  names.forEach((name, index) => {
    const place = places[index];
    const module = moduleName(place?.stack ?? name, place !== undefined);
    const draft: ModuleDraft = drafts.get(module) ?? { stack: undefined, layers: new Map(), outside: [] };
    drafts.set(module, draft);
    if (place === undefined) {
      draft.outside.push(name);
      return;
    }
    draft.stack = place.stack;
    const layer = draft.layers.get(place.layer);
    if (layer === undefined) draft.layers.set(place.layer, [name]);
    else layer.push(name);
  });
  return [...drafts].map(([name, draft]) => ({ name, ...draft }));
}

/** The module of a stack, or of a tensor outside of the layers. */
type Namer = (path: string, isStack: boolean) => string;

/** Names modules by what tells their stacks apart. */
function namer(stacks: ReadonlySet<string>): Namer {
  const counts = new Map<string, number>();
  for (const stack of stacks) for (const prefix of prefixes(stack)) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  const roots = new Map<string, string>();
  for (const stack of stacks) roots.set(stack, prefixes(stack).find((prefix) => counts.get(prefix) === 1) ?? stack);
  const rootNames = new Set(roots.values());
  const texts = [...rootNames].filter((root) => TEXT_MODULES.includes(root.slice(root.lastIndexOf(".") + 1)));
  const text = texts.length === 1 ? texts[0] : undefined;
  return (path, isStack) => {
    if (isStack) return roots.get(path) ?? path;
    const own = prefixes(path).find((prefix) => rootNames.has(prefix) || !counts.has(prefix)) ?? path;
    return text !== undefined && HEADS.includes(own) ? text : own;
  };
}

/** `a`, `a.b` and `a.b.c` of `a.b.c`. */
function prefixes(path: string): string[] {
  const found: string[] = [];
  for (let dot = path.indexOf("."); dot >= 0; dot = path.indexOf(".", dot + 1)) found.push(path.slice(0, dot));
  return [...found, path];
}

/**
 * The module that a recipe means by a name: its own, the end of its own (`encoder` for `model.encoder`), or mergekit's `text_decoder`.
 * Undefined where none or several fit.
 */
export function moduleNamed(modules: readonly ModelModule[], name: string): ModelModule | undefined {
  const exact = modules.find((module) => module.name === name);
  if (exact !== undefined) return exact;
  const ends = modules.filter((module) => module.name.endsWith(`.${name}`));
  if (ends.length > 0) return ends.length === 1 ? ends[0] : undefined;
  const texts = modules.filter((module) => TEXT_MODULES.includes(module.name.slice(module.name.lastIndexOf(".") + 1)));
  return name === "text_decoder" && texts.length === 1 ? texts[0] : undefined;
}

/**
 * Whether a tensor outside of the layers comes before them, as an embedding does, or after, as a final norm and a head do. Names alone
 * tell; mergekit lists them for each architecture.
 */
export function isBeforeLayers(tensor: string): boolean {
  if (/(^|\.)embed_out\b/.test(tensor)) return false;
  return /embd|embed|wte|wpe|(^|[._])emb|(^|\.)(shared|position|pos_|patch|cls_token|class_token|mask_token|conv\d|pre_?la?y?e?r?norm|ln_pre|relative_pe)/.test(
    tensor,
  );
}
