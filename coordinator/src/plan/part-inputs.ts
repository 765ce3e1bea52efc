/** What each part of a merge takes from each slot. Parts of whole models take everything; slices and modules see a part of their sources. */
import { type Checkpoint, type JsonObject, layerPlace, type ModelModule, moduleNamed } from "@amalgam/checkpoint";
import { type Part, type PartSource, type RecipeVariant, tensorDepths } from "../recipe/index.ts";
import { donorProblems } from "./donor-fit.ts";
import { partOf } from "./groups.ts";
import { layerConfig } from "./layer-config.ts";
import { slotFinder } from "./slots.ts";
import type { SlotHeader } from "./types.ts";
import { companionView, ModulesCache, partModule, partView, type View } from "./view.ts";

/** Slot of the checkpoint whose config and tokenizer the merged model has, and its tensors where whole models are merged. */
export const DONOR_SLOT = 0;

export interface PartInputs {
  /** Index of the part in the recipe's own variant; undefined for what no part of it merges, which is copied. */
  readonly part: number | undefined;
  /** Slot whose tensors the part has. */
  readonly reference: number;
  /** By slot, with the tensors that the part sees; undefined for slots that it takes nothing from. */
  readonly headers: readonly (SlotHeader | undefined)[];
  /** By slot; undefined where tensors keep their names. */
  readonly oldNames: readonly (ReadonlyMap<string, string> | undefined)[];
  /** Depth t of a tensor by its new name, in [0, 1]. */
  readonly depthOf: (name: string) => number;
}

/** Layers that a module of the merged model gets, each from the layer of a slot: what its config must say. */
export interface LayerOrigins {
  readonly module: ModelModule;
  readonly layers: readonly { readonly slot: number; readonly layer: number }[];
}

export interface JobInputs {
  readonly parts: readonly PartInputs[];
  /** config.json of the merged model, but for its dtype. */
  readonly config: JsonObject | undefined;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

/** `variants` are the recipe's own first. */
export function jobInputs(variants: readonly RecipeVariant[], headers: readonly SlotHeader[]): JobInputs {
  const own = variants[0]?.parts ?? [];
  const [whole] = own;
  if (own.length !== 1 || whole?.slice !== undefined) return slicedInputs(variants, headers);
  const names = headers[DONOR_SLOT]?.checkpoint.tensors.keys() ?? [];
  const depths = tensorDepths(names);
  const part: PartInputs = {
    part: 0,
    reference: DONOR_SLOT,
    headers,
    oldNames: [],
    depthOf: (name) => depths.get(name) ?? 0,
  };
  return { parts: [part], config: headers[DONOR_SLOT]?.checkpoint.config, problems: [], notes: [] };
}

interface Builder {
  readonly headers: readonly SlotHeader[];
  readonly find: ReturnType<typeof slotFinder>;
  readonly modules: ModulesCache;
  readonly problems: Set<string>;
}

function slicedInputs(variants: readonly RecipeVariant[], headers: readonly SlotHeader[]): JobInputs {
  const find = slotFinder(headers.map(({ slot }) => slot));
  const builder: Builder = { headers, find, modules: new ModulesCache(), problems: new Set() };
  const origins = new Map<string, { module: ModelModule; layers: { slot: number; layer: number }[] }>();
  const titles = new Map<string, string | undefined>();
  const own = variants[0]?.parts ?? [];
  const parts: PartInputs[] = [];
  own.forEach((part, index) => {
    const reference = part.base ?? part.sources[0];
    if (reference === undefined) return;
    const slot = find.checkpoint(reference.model.path);
    const module = partModule(builder.modules, checkpointOf(headers, slot), part);
    if (typeof module === "string") {
      builder.problems.add(module);
      return;
    }
    const { name } = module;
    if (titles.has(name) && titles.get(name) !== part.module) {
      builder.problems.add(`modules: \`${titles.get(name)}\` and \`${part.module}\` are both \`${name}\``);
      return;
    }
    titles.set(name, part.module);
    const origin = origins.get(name) ?? { module, layers: [] };
    origins.set(name, origin);
    const inputs = partInputs(builder, variants, index, slot, origin.layers.length);
    if (inputs === undefined) return;
    parts.push(inputs);
    const { first, end } = reference.layers ?? { first: 0, end: 0 };
    for (let layer = first; layer < end; layer++) origin.layers.push({ slot, layer });
  });
  const donor = headers[DONOR_SLOT] as SlotHeader;
  if (builder.problems.size > 0) return { parts: [], config: undefined, problems: [...builder.problems], notes: [] };
  const rest = copiedRest(builder, own);
  const all = rest === undefined ? parts : [...parts, rest.part];
  const made = [...origins.values()].filter(({ layers }) => layers.length > 0);
  const { config, notes } = layerConfig(donor, made, headers, builder.modules);
  const names = all.flatMap(({ headers: seen, reference }) => [...(seen[reference]?.checkpoint.tensors.keys() ?? [])]);
  return {
    parts: all,
    config,
    problems: donorProblems(donor.checkpoint, new Set(names)),
    notes: [...(rest === undefined ? [] : [rest.note]), ...notes],
  };
}

function partInputs(
  builder: Builder,
  variants: readonly RecipeVariant[],
  index: number,
  reference: number,
  firstLayer: number,
): PartInputs | undefined {
  const { headers, find, problems } = builder;
  const seen: (SlotHeader | undefined)[] = headers.map(() => undefined);
  const oldNames: (ReadonlyMap<string, string> | undefined)[] = headers.map(() => undefined);
  const views = new Map<string, View>();
  let own: Part | undefined;
  for (const variant of variants) {
    const part = partOf(variant, index);
    own ??= part;
    for (const source of [...(part.base === undefined ? [] : [part.base]), ...part.sources]) {
      const slot = find.checkpoint(source.model.path);
      if (seen[slot] !== undefined) continue;
      const view = sourceView(builder, part, source, slot, firstLayer);
      if (typeof view === "string") {
        problems.add(view);
        return undefined;
      }
      views.set(source.model.path, view);
      seen[slot] = { slot: (headers[slot] as SlotHeader).slot, checkpoint: view.checkpoint };
      oldNames[slot] = view.oldNames;
    }
  }
  headers.forEach(({ slot, checkpoint }, number) => {
    const view = views.get(slot.companion?.modelPath ?? "");
    if (slot.companion === undefined || view === undefined) return;
    seen[number] = { slot, checkpoint: companionView(checkpoint, view) };
    oldNames[number] = view.oldNames;
  });
  const depthOf = depths(own as Part, seen[reference]?.checkpoint, firstLayer);
  return { part: index, reference, headers: seen, oldNames, depthOf };
}

function sourceView(
  { modules, headers }: Builder,
  part: Part,
  source: PartSource,
  slot: number,
  firstLayer: number,
): View | string {
  const checkpoint = checkpointOf(headers, slot);
  const module = partModule(modules, checkpoint, part);
  return typeof module === "string" ? module : partView(checkpoint, module, part, source, firstLayer);
}

/** Gradients run over the layers of a slice; over those of the module where it is merged whole. */
function depths(part: Part, reference: Checkpoint | undefined, firstLayer: number): (name: string) => number {
  const { layers } = part.base ?? (part.sources[0] as PartSource);
  if (layers === undefined) {
    const known = tensorDepths(reference?.tensors.keys() ?? []);
    return (name) => known.get(name) ?? 0;
  }
  const count = layers.end - layers.first;
  return (name) => {
    const place = layerPlace(name);
    if (place === undefined) return 0;
    return count === 1 ? 1 : (place.layer - firstLayer) / (count - 1);
  };
}

/** Modules of the donor that the recipe does not name are copied: a model without them could not be loaded. */
function copiedRest(
  { headers, modules }: Builder,
  parts: readonly Part[],
): { part: PartInputs; note: string } | undefined {
  const donor = headers[DONOR_SLOT];
  if (donor === undefined || parts.some(({ module }) => module === undefined)) return undefined;
  const all = modules.of(donor.checkpoint);
  const named = new Set(parts.map(({ module }) => moduleNamed(all, module as string)));
  const rest = all.filter((module) => !named.has(module));
  if (rest.length === 0) return undefined;
  const tensors = new Map(
    rest
      .flatMap(({ outside, layers }) => [...outside, ...[...layers.values()].flat()])
      .flatMap((name) => {
        const tensor = donor.checkpoint.tensors.get(name);
        return tensor === undefined ? [] : [[name, tensor] as const];
      }),
  );
  const view: SlotHeader = { slot: donor.slot, checkpoint: { ...donor.checkpoint, tensors } };
  const list = rest.map(({ name }) => `\`${name}\``).join(", ");
  return {
    part: {
      part: undefined,
      reference: DONOR_SLOT,
      headers: headers.map((_, slot) => (slot === DONOR_SLOT ? view : undefined)),
      oldNames: [],
      depthOf: () => 0,
    },
    note: `${list} copied from ${donor.checkpoint.root}: the recipe's \`modules\` do not name ${rest.length === 1 ? "it" : "them"}`,
  };
}

const checkpointOf = (headers: readonly SlotHeader[], slot: number): Checkpoint =>
  (headers[slot] as SlotHeader).checkpoint;
