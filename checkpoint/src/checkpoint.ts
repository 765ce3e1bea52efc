// Opens a Hugging Face checkpoint: one folder, or one safetensors file, of this machine or of a server. Everything is validated
// here, before any compute, and every problem found is reported at once; the result is plain data that can be sent anywhere.
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Derivation } from "./derived.ts";
import type { DType } from "./dtype.ts";
import { CheckpointError, problemsOf, throwProblems } from "./errors.ts";
import { type Folder, openFolder } from "./folder.ts";
import { parseIndex, type SafetensorsIndex } from "./index-file.ts";
import { parseJsonObject } from "./json-file.ts";
import type { JsonObject } from "./json-scanner.ts";
import { maxConfigBytes, maxJsonBytes } from "./limits.ts";
import { isRemote, parseRemote, remoteName } from "./location.ts";
import { isRemoteSource, openSource } from "./open-source.ts";
import { type HeaderRead, readHeader } from "./read-header.ts";
import { isPickledWeights, isSideFile } from "./side-files.ts";
import type { CheckpointSource, ReadOptions, SourceIdentity } from "./source.ts";
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
  /** Real path, links resolved, or the location of a remote file. */
  readonly path: string;
  readonly byteLength: number;
  /** sha256 (hex) of the header, length included. */
  readonly headerSha256: string;
  /** Length of that header: where the data begins. */
  readonly headerBytes: number;
  readonly identity: SourceIdentity;
  /** How errors name it where it is not in the checkpoint's directory. */
  readonly shown?: string;
}

export interface Checkpoint {
  /** A directory or a single safetensors file: the path as the caller gave it, or a remote location, pinned. */
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
/** Large models have hundreds of files, and a server answers each after a while. */
const headersInFlight = 8;

/**
 * Opens a checkpoint folder (`model.safetensors`, else `model.safetensors.index.json` and its files, as transformers chooses),
 * or one safetensors file, at a path or a remote location. Throws CheckpointError or CheckpointProblems.
 */
export async function openCheckpoint(location: string, options: ReadOptions = {}): Promise<Checkpoint> {
  const folder = await openFolder(location, options);
  if (folder === undefined) return openTensorFile(location, options);
  const { root } = folder;
  const names = await folder.list(options);
  const config = names.includes("config.json") ? await readConfig(folder, options) : undefined;
  const sideFiles = names.filter(isSideFile);
  await checkSideFiles(folder, sideFiles);
  if (names.includes(singleName)) {
    const read = await readWeights(folder, singleName, options);
    return assemble(root, config, sideFiles, [read]);
  }
  if (!names.includes(indexName)) throw noWeights(root, names);
  const file = folder.shown(indexName);
  const index = parseIndex(await folder.read(indexName, maxJsonBytes, options), file);
  const reads = await readAllWeights(folder, new Set(index.weightMap.values()), options);
  checkIndex(file, index, reads);
  return assemble(root, config, sideFiles, reads);
}

/** Opens one safetensors file, whatever its name, as a checkpoint without config and side files. */
export async function openTensorFile(location: string, options: ReadOptions = {}): Promise<Checkpoint> {
  if (isRemote(location)) {
    const { pinRemote } = await import("./remote/places.ts");
    const pinned = await pinRemote(location, options);
    return assemble(
      pinned,
      undefined,
      [],
      [await readWeightsAt(pinned, remoteName(parseRemote(pinned)), pinned, options)],
    );
  }
  const real = await withSystemErrors(location, "open it", () => realpath(location));
  const read = await readWeightsAt(real, basename(location), location, options);
  return assemble(location, undefined, [], [read]);
}

/** Opens a weight file of a checkpoint for reading; throws when it is no longer the file that was validated. */
export async function openCheckpointFile(
  checkpoint: Checkpoint,
  name: string,
  options: ReadOptions = {},
): Promise<CheckpointSource> {
  const file = checkpoint.files.find((candidate) => candidate.name === name);
  if (file === undefined)
    throw new CheckpointError({ file: checkpoint.root, rule: `the checkpoint has no file ${name}` });
  const { path, identity } = file;
  const shown = { name: file.shown ?? displayPath(checkpoint, name), noFollow: true };
  const source = await openSource(path, { ...options, ...shown, expected: identity });
  if (!isRemoteSource(source)) return source;
  const { readAhead } = await import("./remote/read-ahead.ts");
  return readAhead(source);
}

/** Reads a whole side file of a checkpoint folder, at most `maxBytes` long. */
export async function readSideFile(
  checkpoint: Checkpoint,
  name: string,
  maxBytes: number,
  options: ReadOptions = {},
): Promise<Uint8Array> {
  const folder = await openFolder(checkpoint.root, options);
  if (folder === undefined) throw new CheckpointError({ file: checkpoint.root, rule: `is a file and has no ${name}` });
  return folder.read(name, maxBytes, options);
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

async function readWeights(folder: Folder, name: string, options: ReadOptions): Promise<WeightsRead> {
  return readWeightsAt(await folder.locate(name), name, folder.shown(name), options);
}

async function readWeightsAt(path: string, name: string, shown: string, options: ReadOptions): Promise<WeightsRead> {
  await using source = await openSource(path, { ...options, name: shown, noFollow: true });
  const read = await readHeader(source, options);
  const { headerSha256, dataOffset: headerBytes } = read;
  const identity = source.identity();
  return { ...read, file: { name, path, byteLength: source.byteLength, headerSha256, headerBytes, identity } };
}

async function readAllWeights(
  folder: Folder,
  names: ReadonlySet<string>,
  options: ReadOptions,
): Promise<WeightsRead[]> {
  const sorted = [...names].toSorted();
  const reads = new Map<string, WeightsRead>();
  const problems = new Map<string, readonly CheckpointError[]>();
  const open = sorted.values();
  const work = async (): Promise<void> => {
    for (const name of open) {
      try {
        reads.set(name, await readWeights(folder, name, options));
      } catch (error) {
        problems.set(name, problemsOf(error));
      }
    }
  };
  await Promise.all(Array.from({ length: headersInFlight }, work));
  throwProblems(sorted.flatMap((name) => problems.get(name) ?? []));
  return sorted.map((name) => reads.get(name)!);
}

async function readConfig(folder: Folder, options: ReadOptions): Promise<JsonObject> {
  const name = "config.json";
  return parseJsonObject(await folder.read(name, maxConfigBytes, options), folder.shown(name));
}

/** A side file that cannot be copied at the end of a merge is refused at its start. */
async function checkSideFiles(folder: Folder, names: readonly string[]): Promise<void> {
  const problems: CheckpointError[] = [];
  for (const name of names) {
    try {
      await folder.probe(name);
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
  // Remote files are shown by their location.
  if (isRemote(checkpoint.root)) return name;
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
    : isRemote(path)
      ? "check the address and the revision"
      : `check the path, under ${parent}`;
  return new CheckpointError({ file: path, rule, hint });
}
