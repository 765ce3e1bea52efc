// Which files beside the weights belong to a model and are copied to what is made of it. An allow-list: weights are rewritten,
// programs are never carried along, and anything else is left where it is.

import { isTokenizerFile, knownTokenizerFiles } from "./tokenizer/files.ts";

const exact = [
  "config.json",
  "generation_config.json",
  "preprocessor_config.json",
  "processor_config.json",
  "image_processor_config.json",
  "video_preprocessor_config.json",
  "feature_extractor_config.json",
  "normalizer.json",
  "sentence_bert_config.json",
  "modules.json",
];

/** Names to ask for where there is no list of files: all that are known by name, and licences as they are usually called. */
export const knownSideFiles: readonly string[] = [
  ...exact,
  ...knownTokenizerFiles,
  "LICENSE",
  "LICENSE.txt",
  "LICENSE.md",
  "LICENCE",
  "NOTICE",
  "NOTICE.txt",
];

// Licences travel with the weights they cover.
const licence = /^(LICEN[CS]E|NOTICE|COPYING)([-_.]\w+)*(\.(txt|md))?$/i;

/** True for config, tokenizer, chat template, preprocessor and licence files. */
export function isSideFile(name: string): boolean {
  return exact.includes(name) || isTokenizerFile(name) || (isLicence(name) && !/\.(py|sh|bin|pt|so)$/i.test(name));
}

export const isLicence = (name: string): boolean => licence.test(name);

/** Weights of other formats: a directory with only these is refused with this reason. */
export function isPickledWeights(name: string): boolean {
  return /\.(bin|pt|pth|ckpt|pkl)$/i.test(name);
}
