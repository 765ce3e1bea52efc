// Opens a Hugging Face checkpoint: one directory, or one safetensors file. Everything is validated here, before any compute, and
// every problem found is reported at once; the result is plain data that can be sent to a worker thread.
import { createHash } from "node:crypto";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { allowedRoots, containedPath } from "./contained-path.ts";
import type { Derivation } from "./derived.ts";
import type { DType } from "./dtype.ts";
import { CheckpointError, problemsOf, throwProblems } from "./errors.ts";
import { parseIndex, type SafetensorsIndex } from "./index-file.ts";
import { parseJsonObject } from "./json-file.ts";
import type { JsonObject } from "./json-scanner.ts";
import { maxConfigBytes, maxJsonBytes } from "./limits.ts";
import { type HeaderRead, readHeader } from "./read-header.ts";
import { isPickledWeights, isSideFile } from "./side-files.ts";
import { type FileIdentity, type FileSource, openFileSource, type ReadOptions } from "./source.ts";
import { withSystemErrors } from "./system-error.ts";
import { type TiedGroup, tiedGroups } from "./tied.ts";

/** Where one tensor of a checkpoint lies. `shape` is row-major; `offset` is absolute in the file. */
export interface TensorRef {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Name of the file in {@link Checkpoint.files}. */
  readonly file: string;
  readonly offset: number;
  readonly byteLength: number;
  /** Set where the tensor is made of more than those bytes; then `dtype` is what it would be stored in. */
  readonly derived?: Derivation;
}

export interface CheckpointFile {
  readonly name: string;
  /** Real path, links resolved. */
  readonly path: string;
  readonly byteLength: number;
  /** sha256 (hex) of the header, length included. */
  readonly headerSha256: string;
  /** Length of that header: where the data begins. */
  readonly headerBytes: number;
  readonly identity: FileIdentity;
  /** How errors name it where it is not in the checkpoint's directory. */
  readonly shown?: string;
}

export interface Checkpoint {
  /** The path as the caller gave it: a directory, or a single safetensors file. */
  readonly root: string;
  /** Directory of the LoRA adapter that changes its tensors; see `withAdapter`. */
  readonly adapter?: string;
  /** Parsed `config.json`; undefined when there is none. */
  readonly config: JsonObject | undefined;
  /** Files in name order, tensors of a file in offset order. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
  readonly files: readonly CheckpointFile[];
  /** Names of the files that belong to the model beside its weights; see {@link isSideFile}. Sorted. */
  readonly sideFiles: readonly string[];
  readonly tied: readonly TiedGroup[];
  /** sha256 (hex) of file names, sizes and headers: the same wherever the files are copied. It does not cover tensor data. */
  readonly identityDigest: string;
}

const singleName = "model.safetensors";
const indexName = "model.safetensors.index.json";

/**
 * Opens a checkpoint directory (`model.safetensors`, else `model.safetensors.index.json` and its files, as transformers
 * chooses), or a path to one safetensors file. Throws CheckpointError or CheckpointProblems.
 */
export async function openCheckpoint(path: string, options: ReadOptions = {}): Promise<Checkpoint> {
  const stats = await withSystemErrors(path, "open it", () => stat(path));
  if (!stats.isDirectory()) return openTensorFile(path, options);
  const roots = await allowedRoots(path);
  const names = (await withSystemErrors(path, "list it", () => readdir(path))).toSorted();
  const config = names.includes("config.json") ? await readConfig(path, roots, options) : undefined;
  const sideFiles = names.filter(isSideFile);
  await checkSideFiles(path, sideFiles, roots);
  if (names.includes(singleName)) {
    const read = await readWeights(path, singleName, roots, options);
    return assemble(path, config, sideFiles, [read]);
  }
  if (!names.includes(indexName)) throw noWeights(path, names);
  const file = join(path, indexName);
  const index = parseIndex(await readSmallFile(path, indexName, roots, options), file);
  const reads = await readAllWeights(path, new Set(index.weightMap.values()), roots, options);
  checkIndex(file, index, reads);
  return assemble(path, config, sideFiles, reads);
}

/** Opens one safetensors file, whatever its name, as a checkpoint without config and side files. */
export async function openTensorFile(path: string, options: ReadOptions = {}): Promise<Checkpoint> {
  const real = await withSystemErrors(path, "open it", () => realpath(path));
  const read = await readWeightsAt(real, basename(path), path, options);
  return assemble(path, undefined, [], [read]);
}

/** Opens a weight file of a checkpoint for reading; throws when it is no longer the file that was validated. */
export function openCheckpointFile(checkpoint: Checkpoint, name: string): Promise<FileSource> {
  const file = checkpoint.files.find((candidate) => candidate.name === name);
  if (file === undefined)
    throw new CheckpointError({ file: checkpoint.root, rule: `the checkpoint has no file ${name}` });
  const shown = file.shown ?? displayPath(checkpoint, name);
  return openFileSource(file.path, { name: shown, noFollow: true, expected: file.identity });
}

/** Reads a whole side file of a checkpoint directory, at most `maxBytes` long. */
export async function readSideFile(
  checkpoint: Checkpoint,
  name: string,
  maxBytes: number,
  options: ReadOptions = {},
): Promise<Uint8Array> {
  return readSmallFile(checkpoint.root, name, await allowedRoots(checkpoint.root), options, maxBytes);
}

/** The tensor of this name, or the stored one it is tied to. */
export function resolveTensor(checkpoint: Checkpoint, name: string): TensorRef | undefined {
  const tensor = checkpoint.tensors.get(name);
  if (tensor !== undefined) return tensor;
  const source = checkpoint.tied.find(({ absent }) => absent.includes(name))?.stored[0];
  return source === undefined ? undefined : checkpoint.tensors.get(source);
}

interface WeightsRead extends HeaderRead {
  readonly file: CheckpointFile;
}

async function readWeights(
  directory: string,
  name: string,
  roots: readonly string[],
  options: ReadOptions,
): Promise<WeightsRead> {
  return readWeightsAt(await containedPath(directory, name, roots), name, join(directory, name), options);
}

async function readWeightsAt(path: string, name: string, shown: string, options: ReadOptions): Promise<WeightsRead> {
  await using source = await openFileSource(path, { name: shown, noFollow: true });
  const read = await readHeader(source, options);
  const { headerSha256, dataOffset: headerBytes } = read;
  const identity = source.identity();
  return { ...read, file: { name, path, byteLength: source.byteLength, headerSha256, headerBytes, identity } };
}

async function readAllWeights(
  directory: string,
  names: ReadonlySet<string>,
  roots: readonly string[],
  options: ReadOptions,
): Promise<WeightsRead[]> {
  const reads: WeightsRead[] = [];
  const problems: CheckpointError[] = [];
  for (const name of [...names].toSorted()) {
    try {
      reads.push(await readWeights(directory, name, roots, options));
    } catch (error) {
      problems.push(...problemsOf(error));
    }
  }
  throwProblems(problems);
  return reads;
}

async function readSmallFile(
  directory: string,
  name: string,
  roots: readonly string[],
  options: ReadOptions,
  maxBytes: number = maxJsonBytes,
): Promise<Uint8Array> {
  const shown = join(directory, name);
  await using source = await openFileSource(await containedPath(directory, name, roots), {
    name: shown,
    noFollow: true,
  });
  if (source.byteLength > maxBytes) {
    throw new CheckpointError({ file: shown, rule: `has ${source.byteLength} bytes, more than ${maxBytes}` });
  }
  const bytes = new Uint8Array(source.byteLength);
  await source.readInto(bytes, 0, options);
  return bytes;
}

async function readConfig(directory: string, roots: readonly string[], options: ReadOptions): Promise<JsonObject> {
  const bytes = await readSmallFile(directory, "config.json", roots, options, maxConfigBytes);
  return parseJsonObject(bytes, join(directory, "config.json"));
}

/** A side file that cannot be copied at the end of a merge is refused at its start. */
async function checkSideFiles(directory: string, names: readonly string[], roots: readonly string[]): Promise<void> {
  const problems: CheckpointError[] = [];
  for (const name of names) {
    try {
      const path = await containedPath(directory, name, roots);
      await using _ = await openFileSource(path, { name: join(directory, name), noFollow: true });
    } catch (error) {
      problems.push(...problemsOf(error));
    }
  }
  throwProblems(problems);
}

/** Every tensor of the index is in its file, every tensor of the files is in the index, and the sizes add up. */
function checkIndex(file: string, index: SafetensorsIndex, reads: readonly WeightsRead[]): void {
  const problems: CheckpointError[] = [];
  const headers = new Map(reads.map((read) => [read.file.name, read.header]));
  for (const [tensor, name] of index.weightMap) {
    if (headers.get(name)!.tensors.has(tensor)) continue;
    problems.push(
      new CheckpointError({ file, tensor, rule: `the index places it in ${name}, which does not have it` }),
    );
  }
  let totalBytes = 0;
  for (const [name, header] of headers) {
    totalBytes += header.dataBytes;
    for (const tensor of header.tensors.keys()) {
      const place = index.weightMap.get(tensor);
      if (place === name) continue;
      const rule = place === undefined ? `it is in ${name}, but not in the index` : `it is in ${name} and in ${place}`;
      problems.push(new CheckpointError({ file, tensor, rule }));
    }
  }
  if (problems.length === 0 && index.totalBytes !== undefined && index.totalBytes !== totalBytes) {
    problems.push(
      new CheckpointError({
        file,
        rule: `metadata.total_size is ${index.totalBytes}, but the tensors have ${totalBytes} bytes`,
        hint: "a file may be from another version of the model; if you are sure of the files, remove total_size",
      }),
    );
  }
  throwProblems(problems);
}

function assemble(
  root: string,
  config: JsonObject | undefined,
  sideFiles: readonly string[],
  reads: readonly WeightsRead[],
): Checkpoint {
  const tensors = new Map<string, TensorRef>();
  const identity = createHash("sha256");
  for (const { file, header, dataOffset } of reads) {
    identity.update(`${JSON.stringify([file.name, file.byteLength, file.headerSha256])}\n`);
    for (const { name, dtype, shape, begin, end } of header.tensors.values()) {
      tensors.set(name, { name, dtype, shape, file: file.name, offset: dataOffset + begin, byteLength: end - begin });
    }
  }
  if (tensors.size === 0) throw new CheckpointError({ file: root, rule: "the checkpoint has no tensors" });
  const tied = tiedGroups(config, (name) => tensors.has(name));
  const files = reads.map(({ file }) => file);
  return { root, config, tensors, files, sideFiles, tied, identityDigest: identity.digest("hex") };
}

function displayPath(checkpoint: Checkpoint, name: string): string {
  return basename(checkpoint.root) === name ? checkpoint.root : join(checkpoint.root, name);
}

function noWeights(path: string, names: readonly string[]): CheckpointError {
  const rule = `has neither ${singleName} nor ${indexName}`;
  if (names.includes("adapter_model.safetensors")) {
    const hint = "it is a LoRA adapter: write it behind its base model, as in base+adapter";
    return new CheckpointError({ file: path, rule, hint });
  }
  if (names.includes("artefact.json")) {
    const hint = "it is an artefact of several models: make one of them a model with `amalgam materialize`";
    return new CheckpointError({ file: path, rule, hint });
  }
  if (names.some(isPickledWeights)) {
    const hint = "its weights are pickles, which can run code when loaded: convert them with save_pretrained";
    return new CheckpointError({ file: path, rule, hint });
  }
  const parent = dirname(path);
  const hint = names.includes("refs")
    ? "give the folder of one revision under snapshots/"
    : `check the path, under ${parent}`;
  return new CheckpointError({ file: path, rule, hint });
}
