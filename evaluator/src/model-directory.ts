/** What `amalgam eval` scores: a Hugging Face directory's weights, config, tokenizer and image processor, read whole into memory. */

import {
  type Checkpoint,
  collectSideFiles,
  isFloat,
  openCheckpoint,
  openCheckpointFile,
  readSideFile,
  resolveTensor,
} from "@amalgam/checkpoint";
import { EvaluatorError } from "./errors.ts";
import { parsePreprocessor } from "./images/processor.ts";
import type { TokenizerFiles } from "./tasks/tokenize.ts";
import type { Weights, WeightTensor } from "./weights.ts";

export interface ModelDirectory {
  /** The parsed `config.json`. */
  readonly config: unknown;
  /** Absent where there is no `tokenizer.json`. */
  readonly tokenizer: TokenizerFiles | undefined;
  /** The parsed `preprocessor_config.json`, absent where there is none. */
  readonly preprocessor: unknown;
  readonly weights: Weights;
  /** Reads what lies beside the weights, by name: config, tokenizer, licences. */
  sideFiles(): Promise<ReadonlyMap<string, Uint8Array>>;
}

/** The largest `tokenizer.json` on the Hub (256k pieces with merges) has about 35 MB. */
const maxTokenizerBytes = 256 * 2 ** 20;

/**
 * Reads a model directory.
 * @throws CheckpointError for files that break the format's rules, EvaluatorError when there is no config.
 */
export async function readModelDirectory(directory: string, signal?: AbortSignal): Promise<ModelDirectory> {
  const checkpoint = await openCheckpoint(directory, { signal });
  if (checkpoint.config === undefined) throw new EvaluatorError(`${directory}: has no config.json`);
  const tokenizerJson = await readText(checkpoint, "tokenizer.json", signal);
  const tokenizerConfig = await readText(checkpoint, "tokenizer_config.json", signal);
  const tokenizer =
    tokenizerJson === undefined
      ? undefined
      : { tokenizerJson, ...(tokenizerConfig !== undefined && { tokenizerConfig }) };
  return {
    config: checkpoint.config,
    tokenizer,
    preprocessor: parsePreprocessor(await readText(checkpoint, "preprocessor_config.json", signal)),
    weights: await readWeights(checkpoint, signal),
    async sideFiles() {
      const files = await collectSideFiles(checkpoint, {}, { signal });
      return new Map(files.map(({ name, bytes }) => [name, typeof bytes === "string" ? Buffer.from(bytes) : bytes]));
    },
  };
}

/**
 * Reads the float tensors of a checkpoint directory or a single safetensors file; tied names give the stored tensor.
 * @throws CheckpointError for files that break the format's rules.
 */
export async function loadWeightsFromCheckpoint(path: string, signal?: AbortSignal): Promise<Weights> {
  return readWeights(await openCheckpoint(path, { signal }), signal);
}

async function readWeights(checkpoint: Checkpoint, signal: AbortSignal | undefined): Promise<Weights> {
  const tensors = new Map<string, WeightTensor>();
  for (const { name: file } of checkpoint.files) {
    await using source = await openCheckpointFile(checkpoint, file);
    for (const ref of checkpoint.tensors.values()) {
      if (ref.file !== file || !isFloat(ref.dtype)) continue;
      const bytes = new Uint8Array(ref.byteLength);
      await source.readInto(bytes, ref.offset, { signal });
      tensors.set(ref.name, { dtype: ref.dtype, shape: ref.shape, bytes });
    }
  }
  const storedName = (name: string): string => resolveTensor(checkpoint, name)?.name ?? name;
  return { get: (name) => tensors.get(storedName(name)), names: () => tensors.keys() };
}

async function readText(
  checkpoint: Checkpoint,
  name: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (!checkpoint.sideFiles.includes(name)) return undefined;
  return new TextDecoder().decode(await readSideFile(checkpoint, name, maxTokenizerBytes, { signal }));
}
