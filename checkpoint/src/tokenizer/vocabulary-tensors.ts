// The tensors of a checkpoint whose rows are tokens, by the names that transformers' models give them.
import type { Checkpoint } from "../checkpoint.ts";
import { CheckpointError } from "../errors.ts";

const INPUT = /(^|\.)(embed_tokens|word_embeddings|wte|embed_in|tok_embeddings|shared)\.weight$/;
const OUTPUT =
  /(^|\.)(lm_head|embed_out|vocab_projector|generator_lm_head|lm_head\.decoder|predictions\.decoder)\.(weight|bias)$|(^|\.)(lm_head|predictions)\.bias$/;

export interface VocabularyTensors {
  /** Their first dimension. */
  readonly rows: number;
  readonly names: readonly string[];
}

/** Whether the rows of a tensor of this name are tokens. */
export const isVocabularyTensor = (name: string): boolean => INPUT.test(name) || OUTPUT.test(name);

/** Throws when there is no embedding, or when what must have one row a token differs from it. */
export function vocabularyTensors({ root, tensors }: Checkpoint): VocabularyTensors {
  const found = [...tensors.values()].filter(({ name }) => isVocabularyTensor(name));
  const embedding = found.find(({ name }) => INPUT.test(name));
  const rows = embedding?.shape[0];
  if (embedding === undefined || rows === undefined) {
    const rule = "has no tensor that is known as an input embedding, so its vocabulary cannot be merged";
    throw new CheckpointError({ file: root, rule, hint: "leave out `tokenizer_source` and `tokenizer`" });
  }
  for (const { name, shape } of found) {
    if (shape[0] === rows) continue;
    const rule = `has ${shape[0]} rows, but ${embedding.name} has ${rows}: both must have one for each token`;
    throw new CheckpointError({ file: root, tensor: name, rule });
  }
  return { rows, names: found.map(({ name }) => name) };
}
