// The files of a tokenizer beside tokenizer.json: which of them a merged vocabulary makes wrong, and what changes in tokenizer_config.json.
import { isJsonObject } from "../json-file.ts";
import type { JsonObject, JsonValue } from "../json-scanner.ts";
import type { UnitedTokenizer } from "./union.ts";

const FAST = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"];
const TEMPLATES = ["chat_template.jinja", "chat_template.json"];
/** Vocabularies of tokenizers without tokenizer.json. */
const SLOW = [
  "vocab.json",
  "vocab.txt",
  "added_tokens.json",
  "tokenizer.model",
  "tokenizer.model.v3",
  "merges.txt",
  "bpe.codes",
  "dict.txt",
  "spiece.model",
  "sentencepiece.bpe.model",
  "source.spm",
  "target.spm",
  "tekken.json",
];

/** The usual names of a tokenizer's files, for places that do not list theirs. */
export const knownTokenizerFiles: readonly string[] = [...FAST, ...SLOW, ...TEMPLATES];

/** Files that hold a vocabulary a second time: they do not belong to a merged one. */
export const isSlowVocabulary = (name: string): boolean =>
  SLOW.includes(name) || /^vocab[-_.\w]*\.(json|txt|model)$/.test(name);

/** Files that hold a chat template where tokenizer_config.json does not. */
export const isChatTemplate = (name: string): boolean => TEMPLATES.includes(name);

export const isTokenizerFile = (name: string): boolean =>
  FAST.includes(name) || isChatTemplate(name) || isSlowVocabulary(name);

/** tokenizer_config.json with the added tokens of a union; they are told there as well as in tokenizer.json. */
export function configOfUnion(config: JsonObject, { ids, moreAdded, dropped }: UnitedTokenizer): JsonObject {
  const known = config["added_tokens_decoder"];
  if (!isJsonObject(known)) return config;
  const gone = new Set(dropped);
  const entries: [string, JsonValue][] = Object.entries(known).filter(
    ([, token]) => !(isJsonObject(token) && typeof token["content"] === "string" && gone.has(token["content"])),
  );
  for (const { content, properties } of moreAdded) entries.push([String(ids.get(content)), { content, ...properties }]);
  return { ...config, added_tokens_decoder: Object.fromEntries(entries) };
}

/** The chat template that a tokenizer_config.json has: its own, or the default of several. */
export function templateOf(config: JsonObject): string | undefined {
  const template = config["chat_template"];
  if (typeof template === "string") return template;
  const named = Array.isArray(template) ? template.filter(isJsonObject) : [];
  const chosen = named.find(({ name }) => name === "default")?.["template"];
  return typeof chosen === "string" ? chosen : undefined;
}
