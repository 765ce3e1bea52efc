/** Text to token ids, as a Hugging Face `tokenizer.json` says; adds the truncation that its JavaScript library leaves to the caller. */

import { Tokenizer } from "@huggingface/tokenizers";
import { EvaluatorError, messageOf } from "../errors.ts";
import type { Encoding } from "../session/batches.ts";

/** The text of a tokenizer's files. */
export interface TokenizerFiles {
  readonly tokenizerJson: string;
  /** `tokenizer_config.json`; without it nothing is assumed. */
  readonly tokenizerConfig?: string;
}

export interface TextTokenizer {
  /** Special tokens that a text begins with. */
  readonly prefix: readonly number[];
  /** The token that begins texts, or else the one that ends them; undefined where neither is known. */
  readonly start: number | undefined;
  /** Special tokens that are added to a single text. */
  readonly specialTokens: number;
  /** The tokens that end texts, as far as they are known: that of the tokenizer's config, and those of the model's. */
  readonly ends: readonly number[];
  /** At most `maxTokens` ids with special tokens; of a pair, the longer text is cut first. */
  encode(text: string, textPair: string | undefined, maxTokens: number): Encoding;
  /** Ids of a text without special tokens but those that are written in it. */
  ids(text: string): number[];
  /** The text of ids, without special tokens. */
  decode(ids: readonly number[]): string;
}

/** Ids of special tokens that `config.json` may name where `tokenizer_config.json` does not. */
export interface SpecialIds {
  readonly bosTokenId?: number | undefined;
  readonly eosTokenIds?: readonly number[];
}

/** @throws EvaluatorError when the files are no JSON or describe no tokenizer that the library knows. */
export function createTokenizer(files: TokenizerFiles, specials: SpecialIds = {}): TextTokenizer {
  const config = parseJson("tokenizer_config.json", files.tokenizerConfig ?? "{}");
  const json = parseJson("tokenizer.json", files.tokenizerJson);
  const tokenizer = construct(json, config);
  const cutLeft = config["truncation_side"] === "left";
  const cut = (tokens: string[], count: number): string[] =>
    tokens.length <= count ? tokens : cutLeft ? tokens.slice(tokens.length - count) : tokens.slice(0, count);

  const known = (token: string): boolean => tokenizer.token_to_id(token) !== undefined;
  const fallsBack = needsByteFallback(json);
  const plain = (text: string): string[] => {
    const tokens = tokenizer.tokenize(text, { add_special_tokens: false });
    return fallsBack ? tokens.flatMap((token: string) => (known(token) ? [token] : bytePieces(token, known))) : tokens;
  };
  const complete = (tokens: string[], pair: string[] | null): { tokens: string[]; token_type_ids?: number[] } =>
    tokenizer.post_processor?.(tokens, pair, true) ?? { tokens: [...tokens, ...(pair ?? [])] };
  const toId = (token: string): number => {
    const id = tokenizer.token_to_id(token) ?? tokenizer.model?.unk_token_id;
    if (id === undefined) throw new EvaluatorError(`tokenizer.json: no id for "${token}", and no unknown token`);
    return id;
  };
  const added = { single: complete([], null).tokens.length, pair: complete([], []).tokens.length };

  const plainIds = (text: string): number[] => plain(text).map(toId);
  const { tokens: around } = complete([probe], null);
  const idOf = (key: string): number | undefined => tokenizer.token_to_id(contentOf(config[key]) ?? "");
  const named = [idOf("eos_token"), ...(specials.eosTokenIds ?? [])];
  const ends = [...new Set(named.filter((id) => id !== undefined))];

  return {
    specialTokens: added.single,
    prefix: around.slice(0, Math.max(0, around.indexOf(probe))).map(toId),
    start: idOf("bos_token") ?? specials.bosTokenId ?? ends[0],
    ends,
    ids: plainIds,
    decode: (ids) => (ids.length === 0 ? "" : tokenizer.decode([...ids], { skip_special_tokens: true })),
    encode(text, textPair, maxTokens) {
      let first = plain(text);
      let second = textPair === undefined ? null : plain(textPair);
      if (second === null) {
        first = cut(first, Math.max(0, maxTokens - added.single));
      } else {
        const [a, b] = longestFirst(first.length, second.length, Math.max(0, maxTokens - added.pair));
        first = cut(first, a);
        second = cut(second, b);
      }
      const { tokens, token_type_ids: types } = complete(first, second);
      return { ids: tokens.map(toId), types: types ?? tokens.map(() => 0) };
    },
  };
}

/** Unigram models may spell what they do not know in bytes, which the library does for BPE only. */
function needsByteFallback(json: Record<string, unknown>): boolean {
  const { type, byte_fallback: fallsBack } = (json["model"] ?? {}) as Record<string, unknown>;
  return type === "Unigram" && fallsBack === true;
}

/** A piece as the pieces of its UTF-8 bytes, where the vocabulary has them all. */
function bytePieces(piece: string, known: (piece: string) => boolean): string[] {
  const bytes = [...Buffer.from(piece)].map((byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  return bytes.every(known) ? bytes : [piece];
}

/** Stands for a text between the special tokens. */
const probe = "\u0000text";

/** A special token as `tokenizer_config.json` has it: its text, or an object with it. */
function contentOf(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  const { content } = (token ?? {}) as { readonly content?: unknown };
  return typeof content === "string" ? content : undefined;
}

/** How much of each text of a pair is kept: Hugging Face tokenizers' `longest_first` (utils/truncation.rs). */
function longestFirst(a: number, b: number, total: number): [number, number] {
  if (a + b <= total) return [a, b];
  if (a > b) return longestFirst(b, a, total).reverse() as [number, number];
  const kept = a > total ? a : Math.max(a, total - a);
  return a + kept <= total ? [a, kept] : [Math.floor(total / 2), Math.ceil(total / 2)];
}

function construct(json: object, config: object): Tokenizer {
  try {
    return new Tokenizer(json, config);
  } catch (error) {
    throw new EvaluatorError(`tokenizer.json: is no tokenizer that can be loaded (${messageOf(error)})`, {
      cause: error,
    });
  }
}

function parseJson(file: string, text: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new EvaluatorError(`${file}: is not JSON (${messageOf(error)})`);
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw new EvaluatorError(`${file}: is not a JSON object`);
}
