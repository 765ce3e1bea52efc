// Tied tensors: parameters that transformers shares under several names, of which a checkpoint may store one. The pairs are those
// of `_tied_weights_keys` in transformers' modelling files.

import { isJsonObject } from "./json-file.ts";
import type { JsonObject, JsonValue } from "./json-scanner.ts";

/** One parameter with several names. `stored` are in the checkpoint, `absent` take their value from the first stored one. */
export interface TiedGroup {
  readonly stored: readonly string[];
  readonly absent: readonly string[];
}

// Each family: the input embedding first, then the names that share it.
const embeddingFamilies: readonly (readonly string[])[] = [
  ["model.embed_tokens.weight", "lm_head.weight"],
  ["model.language_model.embed_tokens.weight", "lm_head.weight"],
  ["language_model.model.embed_tokens.weight", "language_model.lm_head.weight"],
  ["model.decoder.embed_tokens.weight", "lm_head.weight"],
  ["transformer.wte.weight", "lm_head.weight"],
  ["wte.weight", "lm_head.weight"],
  ["transformer.word_embeddings.weight", "lm_head.weight"],
  ["gpt_neox.embed_in.weight", "embed_out.weight"],
  ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"],
  ["model.shared.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"],
  ["bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"],
  ["roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"],
  ["distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight"],
  ["electra.embeddings.word_embeddings.weight", "generator_lm_head.weight"],
  ["deberta.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"],
  ["albert.embeddings.word_embeddings.weight", "predictions.decoder.weight"],
];

// Ties of biases: between parameters of one head, whatever the config says.
const alwaysTied: readonly (readonly [string, string])[] = [
  ["cls.predictions.bias", "cls.predictions.decoder.bias"],
  ["lm_head.bias", "lm_head.decoder.bias"],
  ["predictions.bias", "predictions.decoder.bias"],
];

/**
 * Whether `config.json` ties input and output embeddings. Transformers' base configuration says yes, and a model class that says
 * otherwise writes `false` into the file; so an absent key means yes. The language part of a multimodal model has its own.
 */
function tiesWordEmbeddings(config: JsonObject | undefined): boolean {
  const own: JsonValue | undefined = config?.["tie_word_embeddings"];
  if (typeof own === "boolean") return own;
  const text = config?.["text_config"];
  const nested = isJsonObject(text) ? text["tie_word_embeddings"] : undefined;
  return nested !== false;
}

/** The tied groups of a checkpoint with these tensors: those with at least one name stored. */
export function tiedGroups(config: JsonObject | undefined, has: (tensor: string) => boolean): readonly TiedGroup[] {
  const families: (readonly string[])[] = [...alwaysTied];
  const stored = (names: readonly string[]) => names.filter(has).length;
  // A head alone does not say which family it is of; an embedding does, and so do two names of one family.
  const candidates = embeddingFamilies.filter((names) => has(names[0]!) || stored(names) > 1);
  const family = candidates.toSorted((a, b) => stored(b) - stored(a))[0];
  if (config !== undefined && family !== undefined && tiesWordEmbeddings(config)) families.unshift(family);
  return families
    .filter((names) => stored(names) > 0)
    .map((names) => ({ stored: names.filter(has), absent: names.filter((name) => !has(name)) }));
}

/** Buffers that old checkpoints store and new ones recompute: never parameters, so a model may lack them. */
export function isDerivedBuffer(tensor: string): boolean {
  return (
    tensor.endsWith(".rotary_emb.inv_freq") ||
    tensor.endsWith("embeddings.position_ids") ||
    /(^|\.)(attn|attention)\.masked_bias$/.test(tensor) ||
    /(^|\.)h\.\d+\.attn\.bias$/.test(tensor) ||
    /(^|\.)layers\.\d+\.attention\.bias$/.test(tensor)
  );
}
