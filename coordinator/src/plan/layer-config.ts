/**
 * config.json of a model made of slices: the number of layers, and whatever the config says layer by layer, follow the layers that were
 * taken. Keys are those of transformers' configurations; one that does not hold the module's number of layers is left alone.
 */
import { isJsonObject, type JsonObject, type JsonValue, type ModelModule, moduleNamed } from "@amalgam/checkpoint";
import type { LayerOrigins } from "./part-inputs.ts";
import type { SlotHeader } from "./types.ts";
import type { ModulesCache } from "./view.ts";

/** Where a config speaks of a kind of module: keys of its sections (the empty one is the top), and of layer counts in them. */
interface Speech {
  readonly sections: readonly string[];
  readonly counts: readonly string[];
}

const COUNTS = ["num_hidden_layers", "n_layer", "n_layers", "num_layers"];
const VISION: Speech = { sections: ["vision_config"], counts: [...COUNTS, "depth"] };
const ENCODER: Speech = { sections: [""], counts: ["encoder_layers", "num_encoder_layers", ...COUNTS] };
const DECODER: Speech = { sections: [""], counts: ["decoder_layers", "num_decoder_layers"] };
const TEXT: Speech = { sections: ["", "text_config", "llm_config"], counts: COUNTS };

/** Lists of the numbers of the layers that something holds for. */
const LAYER_NUMBERS = [
  "mlp_only_layers",
  "moe_layers",
  "attn_layer_indices",
  "cross_attention_layers",
  "full_attn_idxs",
  "hybrid_layer_ids",
];
/** Lists with one item for each layer, such as `layer_types`, are known by their length and one of these words. */
const PER_LAYER = /layer|block|head|expert|window/;

function speechOf({ name }: ModelModule): Speech {
  if (/vis|image/.test(name)) return VISION;
  if (name.endsWith("encoder")) return ENCODER;
  return name.endsWith("decoder") ? DECODER : TEXT;
}

/**
 * The donor's config with the layers of the merged model; the donor's own object where nothing changes. `notes` say what could not be
 * found in it.
 */
export function layerConfig(
  donor: SlotHeader,
  layers: readonly LayerOrigins[],
  headers: readonly SlotHeader[],
  modules: ModulesCache,
): { readonly config: JsonObject | undefined; readonly notes: readonly string[] } {
  let { config } = donor.checkpoint;
  const notes: string[] = [];
  for (const origins of layers) {
    const own = moduleNamed(modules.of(donor.checkpoint), origins.module.name);
    if (config === undefined || own === undefined) continue;
    const changed = withLayers(config, own, origins, (slot) => headers[slot]?.checkpoint.config);
    if (changed === undefined && own.layers.size !== origins.layers.length) {
      notes.push(
        `${donor.checkpoint.root}: config.json has no number of layers (${own.layers.size}) of \`${own.name}\` that is known here: ` +
          `set it to ${origins.layers.length} in the merged model`,
      );
    }
    config = changed ?? config;
  }
  return { config, notes };
}

/** Undefined where the config says nothing of the module's layers. */
function withLayers(
  config: JsonObject,
  module: ModelModule,
  { layers }: LayerOrigins,
  configOf: (slot: number) => JsonObject | undefined,
): JsonObject | undefined {
  const { sections, counts } = speechOf(module);
  const count = module.layers.size;
  let result: JsonObject | undefined;
  for (const name of sections) {
    const section = sectionOf(config, name);
    const keys = counts.filter((key) => section?.[key] === count);
    if (section === undefined || keys.length === 0) continue;
    const replaced = Object.entries(section).map(([key, value]): [string, JsonValue] => {
      if (keys.includes(key)) return [key, layers.length];
      if (!Array.isArray(value)) return [key, value];
      /** The list of the model that a layer comes from: models of one architecture may differ in it. */
      const listOf = (slot: number): readonly JsonValue[] => {
        const theirs = sectionOf(configOf(slot) ?? {}, name)?.[key];
        return Array.isArray(theirs) ? theirs : value;
      };
      if (LAYER_NUMBERS.includes(key)) {
        const numbers = layers.flatMap(({ slot, layer }, index) => (listOf(slot).includes(layer) ? [index] : []));
        return [key, numbers];
      }
      if (value.length !== count || !PER_LAYER.test(key)) return [key, value];
      return [key, layers.map(({ slot, layer }) => listOf(slot)[layer] ?? value[layer % count] ?? null)];
    });
    const merged = Object.fromEntries(replaced);
    result = name === "" ? merged : { ...(result ?? config), [name]: merged };
    config = result;
  }
  return result;
}

function sectionOf(config: JsonObject, name: string): JsonObject | undefined {
  const section = name === "" ? config : config[name];
  return isJsonObject(section) ? section : undefined;
}
