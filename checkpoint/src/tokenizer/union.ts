// The tokenizer of a merged model: the vocabulary of one tokenizer with the tokens of others behind it. Ids of the first never change, so
// what it splits a text into without the others' tokens stays the same. Linear in the tokens and merges of all.
import { CheckpointError } from "../errors.ts";
import { isJsonObject } from "../json-file.ts";
import type { JsonObject, JsonValue } from "../json-scanner.ts";
import type { AddedToken, Tokenizer } from "./tokenizer.ts";

/** A tokenizer and what its model can look up. */
export interface TokenizerOfModel {
  /** For messages. */
  readonly name: string;
  readonly tokenizer: Tokenizer;
  /** Rows of the model's embedding: tokens from this id on have none, and are left out. */
  readonly rows: number;
}

export interface UnitedTokenizer {
  readonly ids: ReadonlyMap<string, number>;
  /** One more than the highest id. */
  readonly size: number;
  /** Tokens that the first tokenizer did not have, in the order of their ids, and those of them that are added ones. */
  readonly more: readonly string[];
  readonly moreAdded: readonly AddedToken[];
  /** Tokens of the first tokenizer that its model has no row for. */
  readonly dropped: readonly string[];
  /** The new `tokenizer.json`; undefined where the first one's is unchanged. */
  readonly json: JsonObject | undefined;
}

/**
 * Unites vocabularies in the order given, each in the order of its ids.
 * @param extra tokens to add when none has them
 * @throws CheckpointError when tokenizers are of different kinds
 */
export function uniteTokenizers(
  first: TokenizerOfModel,
  others: readonly TokenizerOfModel[],
  extra: readonly string[] = [],
): UnitedTokenizer {
  for (const { name, tokenizer } of others) {
    if (tokenizer.kind === first.tokenizer.kind) continue;
    const rule = `its tokenizer is ${tokenizer.kind}, but that of ${first.name} is ${first.tokenizer.kind}`;
    const hint = "vocabularies of two kinds have no union: choose one with `tokenizer_source`";
    throw new CheckpointError({ file: name, rule, hint });
  }
  const { ids, dropped } = keptTokens(first);
  let size = 0;
  for (const id of ids.values()) size = Math.max(size, id + 1);
  const more: string[] = [];
  const scores = new Map(first.tokenizer.scores);
  const moreAdded: AddedToken[] = [];
  const append = (token: string): void => {
    ids.set(token, size++);
    more.push(token);
  };
  for (const other of others) {
    const { tokenizer } = other;
    const added = new Map(tokenizer.added.map((token) => [token.content, token]));
    const kept = [...keptTokens(other).ids].toSorted(([, a], [, b]) => a - b);
    for (const [token] of kept) {
      if (ids.has(token)) continue;
      append(token);
      const special = added.get(token);
      if (special !== undefined) moreAdded.push(special);
      scores.set(token, tokenizer.scores.get(token));
    }
  }
  for (const token of extra) {
    if (ids.has(token)) continue;
    append(token);
    moreAdded.push({ content: token, properties: PLAIN });
  }
  const parts = { ids, size, more, moreAdded, dropped };
  const unchanged = more.length === 0 && dropped.length === 0;
  return { ...parts, json: unchanged ? undefined : unitedJson(first.tokenizer, others, parts, scores) };
}

/** What the tokenizers library gives a token that is added by its text alone. */
const PLAIN: JsonObject = { single_word: false, lstrip: false, rstrip: false, normalized: true, special: false };

function keptTokens({ tokenizer, rows }: TokenizerOfModel): { ids: Map<string, number>; dropped: string[] } {
  const ids = new Map<string, number>();
  const dropped: string[] = [];
  for (const [token, id] of tokenizer.ids) {
    if (id < rows) ids.set(token, id);
    else dropped.push(token);
  }
  return { ids, dropped };
}

function unitedJson(
  first: Tokenizer,
  others: readonly TokenizerOfModel[],
  { ids, size, moreAdded }: Omit<UnitedTokenizer, "json">,
  scores: ReadonlyMap<string, number | undefined>,
): JsonObject {
  const model: JsonObject = { ...(first.json["model"] as JsonObject) };
  model["vocab"] = first.kind === "Unigram" ? scoredVocabulary(ids, size, scores) : Object.fromEntries(ids);
  if (first.kind === "BPE") model["merges"] = unitedMerges([first, ...others.map(({ tokenizer }) => tokenizer)], ids);
  const added = [...first.added, ...moreAdded].flatMap(({ content, properties }): JsonObject[] => {
    const id = ids.get(content);
    return id === undefined ? [] : [{ id, content, ...properties }];
  });
  added.sort((a, b) => Number(a["id"]) - Number(b["id"]));
  return { ...first.json, added_tokens: added, model };
}

/** Added tokens are in the vocabulary too: the library would else number them after it, and so change their ids. */
function scoredVocabulary(
  ids: ReadonlyMap<string, number>,
  size: number,
  scores: ReadonlyMap<string, number | undefined>,
): JsonValue[] {
  // An id without a token, which lists cannot leave out, gets a text that no text contains.
  const vocabulary: JsonValue[] = Array.from({ length: size }, (_, id) => [`\u0000unused ${id}\u0000`, 0]);
  for (const [token, id] of ids) vocabulary[id] = [token, scores.get(token) ?? 0];
  return vocabulary;
}

/** The first tokenizer's merges in their order, then what the others add, of parts that are tokens and make a token. */
function unitedMerges(tokenizers: readonly Tokenizer[], ids: ReadonlyMap<string, number>): JsonValue[] {
  const seen = new Set<string>();
  const merges: (readonly [string, string])[] = [];
  for (const merge of tokenizers.flatMap((tokenizer) => tokenizer.merges)) {
    const [left, right] = merge;
    // No part contains this character: bytes are written as letters.
    const key = `${left}\u0000${right}`;
    if (seen.has(key) || !ids.has(left) || !ids.has(right) || !ids.has(left + right)) continue;
    seen.add(key);
    merges.push(merge);
  }
  const model = tokenizers[0]?.json["model"];
  const written = isJsonObject(model) && Array.isArray(model["merges"]) ? model["merges"][0] : undefined;
  const asText = typeof written === "string" && merges.every((parts) => !parts.some((part) => part.includes(" ")));
  return merges.map(([left, right]) => (asText ? `${left} ${right}` : [left, right]));
}
