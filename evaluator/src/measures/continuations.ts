/**
 * Prompts and what follows them as a language model reads them. A prompt's trailing blanks go to what follows, prompt and whole are tokenised,
 * and what the whole has beyond the prompt's tokens is the continuation: the boundary of EleutherAI's lm-evaluation-harness, so that scores can be
 * compared with its.
 */

import { EvaluatorError } from "../errors.ts";
import type { BuiltModel } from "../graph/families/family.ts";
import type { Encoding } from "../session/batches.ts";
import type { TextTokenizer } from "../tasks/tokenize.ts";

export interface ReadingOptions {
  /** Longest sequence that the model is given. */
  readonly maxTokens: number;
  readonly addSpecialTokens: boolean;
  /** What a target counts, given how many there are. */
  readonly weight: (targets: number) => number;
}

/** How a prompt with one of its continuations is asked for: the targets are the continuation's tokens. */
export type Reading = (prompt: string, continuation: string, place: string) => Encoding;

/** @throws EvaluatorError (the reading) for a continuation that has no token of its own, or more than the model takes. */
export function createReading(model: BuiltModel, tokenizer: TextTokenizer, options: ReadingOptions): Reading {
  return model.kind === "seq2seq-lm" ? bySequence(model, tokenizer, options) : byNext(tokenizer, options);
}

/** A decoder reads prompt and continuation; the token at a place is read off the logits of the one before. */
function byNext(tokenizer: TextTokenizer, { maxTokens, addSpecialTokens, weight }: ReadingOptions): Reading {
  return (prompt, continuation, place) => {
    const { context, targets } = split(tokenizer, prompt, continuation);
    const begin = beginOf(tokenizer, addSpecialTokens, context, place);
    const room = maxTokens + 1 - begin.length - targets.length;
    requireTargets(targets, room < 0, { continuation, maxTokens, place });
    const kept = context.slice(Math.max(0, context.length - room));
    const whole = [...begin, ...kept, ...targets];
    const first = whole.length - targets.length - 1;
    const ids = whole.slice(0, -1);
    return {
      ids,
      types: ids.map(() => 0),
      targets: {
        ids: whole.slice(1).map((id, at) => (at >= first ? id : 0)),
        weights: ids.map((_, at) => (at >= first ? weight(targets.length) : 0)),
      },
    };
  };
}

/** An encoder reads the prompt, the decoder its start token and the continuation. */
function bySequence(model: BuiltModel, tokenizer: TextTokenizer, options: ReadingOptions): Reading {
  const { maxTokens, weight } = options;
  return (prompt, continuation, place) => {
    const trimmed = prompt.trimEnd();
    const targets = tokenizer.ids(prompt.slice(trimmed.length) + continuation);
    requireTargets(targets, targets.length > maxTokens, { continuation, maxTokens, place });
    const { ids, types } = encoderText(tokenizer, trimmed, options, place);
    const decoderIds = [model.decoderStart ?? 0, ...targets.slice(0, -1)];
    return { ids, types, targets: { ids: targets, weights: targets.map(() => weight(targets.length)), decoderIds } };
  };
}

/**
 * A prompt as the encoder of a sequence-to-sequence model reads it, cut at its end where it is too long.
 * @throws EvaluatorError for one that has no token.
 */
export function encoderText(
  tokenizer: TextTokenizer,
  prompt: string,
  { maxTokens, addSpecialTokens }: Pick<ReadingOptions, "maxTokens" | "addSpecialTokens">,
  place: string,
): Encoding {
  const encoding = addSpecialTokens
    ? tokenizer.encode(prompt, undefined, maxTokens)
    : plain(tokenizer.ids(prompt).slice(0, maxTokens));
  if (encoding.ids.length === 0) throw new EvaluatorError(`${place}: the prompt has no token`);
  return encoding;
}

const plain = (ids: readonly number[]): Encoding => ({ ids, types: ids.map(() => 0) });

interface Boundary {
  readonly context: readonly number[];
  readonly targets: readonly number[];
}

function split(tokenizer: TextTokenizer, prompt: string, continuation: string): Boundary {
  const trimmed = prompt.trimEnd();
  const context = tokenizer.ids(trimmed);
  return { context, targets: tokenizer.ids(prompt + continuation).slice(context.length) };
}

/**
 * What a text begins with: the special tokens that the tokenizer puts there; and where neither they nor a prompt give the first token something
 * to follow, the token that begins or ends texts.
 */
export function beginOf(
  tokenizer: TextTokenizer,
  addSpecialTokens: boolean,
  context: readonly number[],
  place: string,
): readonly number[] {
  const begin = addSpecialTokens ? tokenizer.prefix : [];
  if (begin.length > 0 || context.length > 0) return begin;
  if (tokenizer.start !== undefined) return [tokenizer.start];
  throw new EvaluatorError(
    `${place}: nothing stands before the first token, and tokenizer_config.json names no bos_token or eos_token`,
  );
}

function requireTargets(
  targets: readonly number[],
  isTooLong: boolean,
  {
    continuation,
    maxTokens,
    place,
  }: { readonly continuation: string; readonly maxTokens: number; readonly place: string },
): void {
  const quoted = JSON.stringify(continuation.length > 40 ? `${continuation.slice(0, 40)}...` : continuation);
  if (targets.length === 0) throw new EvaluatorError(`${place}: ${quoted} has no token of its own after its prompt`);
  if (isTooLong)
    throw new EvaluatorError(
      `${place}: ${quoted} has ${targets.length} tokens, more than the ${maxTokens} that are read`,
    );
}
