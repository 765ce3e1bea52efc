/** Small models, tokenizers and tasks for the tests of this package. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { buildModel } from "../graph/families/index.ts";
import type { Encoding } from "../session/batches.ts";
import type { TokenizerFiles } from "../tasks/tokenize.ts";
import type { Weights, WeightTensor } from "../weights.ts";

/** A path among what transformers wrote; see tests/golden/transformers. */
export function goldenPath(path: string): string {
  return fileURLToPath(new URL(`../../../tests/golden/transformers/${path}`, import.meta.url));
}

export const goldenDirectory: string = goldenPath("bert");

export async function readGolden<T>(file: "config.json" | "expected.json"): Promise<T> {
  return JSON.parse(await readFile(`${goldenDirectory}/${file}`, "utf8")) as T;
}

export interface BertSizes {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly vocabulary: number;
  readonly labels: number;
  readonly activation?: string;
}

export function bertConfig(sizes: BertSizes): Record<string, unknown> {
  return {
    architectures: ["BertForSequenceClassification"],
    model_type: "bert",
    hidden_size: sizes.hidden,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    intermediate_size: 4 * sizes.hidden,
    vocab_size: sizes.vocabulary,
    max_position_embeddings: 64,
    hidden_act: sizes.activation ?? "gelu",
    id2label: Object.fromEntries(Array.from({ length: sizes.labels }, (_, i) => [i, `label ${i}`])),
  };
}

/** The smallest T5, to be spread and changed. */
export const t5Config: Readonly<Record<string, unknown>> = {
  architectures: ["T5ForConditionalGeneration"],
  vocab_size: 20,
  d_model: 8,
  d_kv: 4,
  d_ff: 8,
  num_layers: 1,
  num_heads: 2,
};

/** A linear congruential generator, uniform in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Float32 weights for a config, large enough to make logits differ; layer norms near one. */
export function randomWeights(config: unknown, seed: number): Map<string, WeightTensor> {
  const random = uniform(seed);
  return new Map(
    [...buildModel(config).graph.weights].map(([name, shape]) => {
      const center = name.endsWith("LayerNorm.weight") ? 1 : 0;
      const values = Float32Array.from(
        { length: shape.reduce((a, b) => a * b, 1) },
        () => center + (random() - 0.5) / 2,
      );
      return [name, { dtype: "F32", shape, bytes: new Uint8Array(values.buffer) }];
    }),
  );
}

export function asWeights(tensors: ReadonlyMap<string, WeightTensor>): Weights {
  return { get: (name) => tensors.get(name), names: () => tensors.keys() };
}

export function randomEncodings(random: () => number, lengths: readonly number[], vocabulary: number): Encoding[] {
  return lengths.map((length) => ({
    ids: Array.from({ length }, () => Math.floor(random() * vocabulary)),
    types: Array.from({ length }, (_, i) => (i * 2 > length ? 1 : 0)),
  }));
}

/** An uncased BERT tokenizer with this vocabulary after its special tokens, as `save_pretrained` writes it. */
export function wordPiece(words: readonly string[]): TokenizerFiles {
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
  const vocab = Object.fromEntries([...special, ...words].map((word, id) => [word, id]));
  const specialToken = (id: string, type_id: number): unknown => ({ SpecialToken: { id, type_id } });
  const sequence = (id: string, type_id: number): unknown => ({ Sequence: { id, type_id } });
  const single = [specialToken("[CLS]", 0), sequence("A", 0), specialToken("[SEP]", 0)];
  return {
    tokenizerJson: JSON.stringify({
      version: "1.0",
      added_tokens: special.map((content, id) => ({ id, content, special: true, normalized: false })),
      normalizer: {
        type: "BertNormalizer",
        clean_text: true,
        handle_chinese_chars: true,
        strip_accents: null,
        lowercase: true,
      },
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: {
        type: "TemplateProcessing",
        single,
        pair: [...single, sequence("B", 1), specialToken("[SEP]", 1)],
        special_tokens: Object.fromEntries(special.slice(2).map((id) => [id, { id, ids: [vocab[id]], tokens: [id] }])),
      },
      decoder: { type: "WordPiece", prefix: "##", cleanup: true },
      model: {
        type: "WordPiece",
        unk_token: "[UNK]",
        continuing_subword_prefix: "##",
        max_input_chars_per_word: 100,
        vocab,
      },
    }),
    tokenizerConfig: JSON.stringify({ tokenizer_class: "BertTokenizer", do_lower_case: true }),
  };
}

/** JSON Lines as a data file's bytes. */
export function jsonLines(...rows: readonly unknown[]): Uint8Array {
  return new TextEncoder().encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}
