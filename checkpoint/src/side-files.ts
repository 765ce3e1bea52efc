// Which files beside the weights belong to a model and are copied to what is made of it. An allow-list: weights are rewritten,
// programs are never carried along, and anything else is left where it is.

const exact = new Set([
  "config.json",
  "generation_config.json",
  "preprocessor_config.json",
  "processor_config.json",
  "image_processor_config.json",
  "video_preprocessor_config.json",
  "feature_extractor_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "tokenizer.model",
  "tokenizer.model.v3",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "bpe.codes",
  "dict.txt",
  "spiece.model",
  "sentencepiece.bpe.model",
  "source.spm",
  "target.spm",
  "tekken.json",
  "normalizer.json",
  "chat_template.json",
  "chat_template.jinja",
  "sentence_bert_config.json",
  "modules.json",
]);

/** Names to ask for where there is no list of files: all that are known by name, and licences as they are usually called. */
export const knownSideFiles: readonly string[] = [
  ...exact,
  "LICENSE",
  "LICENSE.txt",
  "LICENSE.md",
  "LICENCE",
  "NOTICE",
  "NOTICE.txt",
];

// Licences travel with the weights they cover.
const licence = /^(LICEN[CS]E|NOTICE|COPYING)([-_.]\w+)*(\.(txt|md))?$/i;
const patterns: readonly RegExp[] = [licence, /^vocab[-_.\w]*\.(json|txt|model)$/];

/** True for config, tokenizer, chat template, preprocessor and licence files. */
export function isSideFile(name: string): boolean {
  return exact.has(name) || (patterns.some((pattern) => pattern.test(name)) && !/\.(py|sh|bin|pt|so)$/i.test(name));
}

export const isLicence = (name: string): boolean => licence.test(name);

/** Weights of other formats: a directory with only these is refused with this reason. */
export function isPickledWeights(name: string): boolean {
  return /\.(bin|pt|pth|ckpt|pkl)$/i.test(name);
}
