// A tokenizer as `tokenizer.json` describes it (Hugging Face tokenizers): its tokens, their ids and, where it is byte-pair encoding, its
// merges. Parsed in one pass; never executed, and nothing here tokenizes.
import { CheckpointError, quoteName } from "../errors.ts";
import { isJsonObject } from "../json-file.ts";
import type { JsonObject, JsonValue } from "../json-scanner.ts";

/** Kinds of models whose vocabularies can be united. */
export type TokenizerKind = "BPE" | "WordPiece" | "WordLevel" | "Unigram";

/** A token that is matched in the text before the model sees it. `properties` are `special`, `lstrip` and their like. */
export interface AddedToken {
  readonly content: string;
  readonly properties: JsonObject;
}

export interface Tokenizer {
  /** The whole file. */
  readonly json: JsonObject;
  readonly kind: TokenizerKind;
  /** Id of every token, added ones included. */
  readonly ids: ReadonlyMap<string, number>;
  /** The tokens of the model itself, with the scores that Unigram gives them. */
  readonly scores: ReadonlyMap<string, number | undefined>;
  readonly added: readonly AddedToken[];
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/** The largest vocabularies have 256 thousand tokens; a row of an embedding for each of these would take gigabytes. */
const MAX_ID = 2 ** 24;

/** Reads the parsed `tokenizer.json`. Throws when it is no tokenizer, or of a kind that cannot be merged. */
export function readTokenizer(json: JsonObject, file: string): Tokenizer {
  const fail = (rule: string): never => {
    throw new CheckpointError({ file, rule });
  };
  const model = json["model"];
  if (!isJsonObject(model)) return fail("has no `model`: it is not a tokenizer.json");
  const kind = kindOf(model);
  if (kind === undefined) {
    return fail(
      `its model is ${quoteName(String(model["type"]))}: only BPE, WordPiece, WordLevel and Unigram can be merged`,
    );
  }
  const ids = new Map<string, number>();
  const scores = new Map<string, number | undefined>();
  const add = (token: string, id: JsonValue | undefined): void => {
    if (typeof id !== "number" || !Number.isSafeInteger(id) || id < 0 || id > MAX_ID) {
      fail(`token ${quoteName(token)} has the id ${JSON.stringify(id)}, not a whole number up to ${MAX_ID}`);
    } else ids.set(token, id);
  };
  for (const [token, id, score] of vocabularyOf(model, kind, fail)) {
    add(token, id);
    scores.set(token, score);
  }
  const added: AddedToken[] = [];
  for (const entry of listOf(json["added_tokens"])) {
    const content = isJsonObject(entry) ? entry["content"] : undefined;
    if (!isJsonObject(entry) || typeof content !== "string") return fail("an item of `added_tokens` has no `content`");
    const { id, content: _, ...properties } = entry;
    // A token that the model knows has the model's id.
    if (!ids.has(content)) add(content, id);
    added.push({ content, properties });
  }
  return { json, kind, ids, scores, added, merges: kind === "BPE" ? mergesOf(model, fail) : [] };
}

function kindOf(model: JsonObject): TokenizerKind | undefined {
  const { type } = model;
  if (type === "BPE" || type === "WordPiece" || type === "WordLevel" || type === "Unigram") return type;
  // Files from before version 0.10 have no type.
  return type === undefined && model["merges"] !== undefined ? "BPE" : undefined;
}

function* vocabularyOf(
  model: JsonObject,
  kind: TokenizerKind,
  fail: (rule: string) => never,
): Generator<[token: string, id: JsonValue | undefined, score: number | undefined]> {
  const { vocab } = model;
  if (kind !== "Unigram") {
    if (!isJsonObject(vocab)) return fail("its vocabulary is not a mapping from tokens to ids");
    for (const token of Object.keys(vocab)) yield [token, vocab[token], undefined];
    return;
  }
  if (!Array.isArray(vocab)) return fail("its vocabulary is not a list of tokens and scores");
  for (const [id, entry] of vocab.entries()) {
    const [token, score] = Array.isArray(entry) ? entry : [];
    if (typeof token !== "string" || typeof score !== "number")
      return fail(`item ${id} of its vocabulary is no token and score`);
    yield [token, id, score];
  }
}

/** Merges are written as "left right", or as two strings since a part may have a space in it. */
function mergesOf(model: JsonObject, fail: (rule: string) => never): [string, string][] {
  return listOf(model["merges"]).map((entry, index): [string, string] => {
    const parts = typeof entry === "string" ? entry.split(" ") : entry;
    const [left, right, more] = Array.isArray(parts) ? parts : [];
    if (typeof left !== "string" || typeof right !== "string" || more !== undefined) {
      return fail(`merge ${index} is not of two tokens`);
    }
    return [left, right];
  });
}

const listOf = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : []);
