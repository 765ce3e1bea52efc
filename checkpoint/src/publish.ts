// From staged bytes to a published model: seal (flush, hold the staged bytes against the digests of what was computed, add the side
// files and the manifest) and publish (one rename). A reader of the output path sees all of the model or none of it.
import { open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileNameRule } from "./contained-path.ts";
import { sha256Bytes } from "./digest.ts";
import { syncDirectory, writeDurably } from "./durable.ts";
import { CheckpointError, throwProblems } from "./errors.ts";
import type { OutputFile } from "./layout.ts";
import {
  type FileRecord,
  type Manifest,
  manifestName,
  manifestText,
  type Provenance,
  type TensorRecord,
} from "./manifest.ts";
import { checkOutput } from "./output-directory.ts";
import { openFileSource, type ReadOptions } from "./source.ts";
import { type MergedPiece, stagedDigests } from "./staged-digests.ts";
import type { Staging } from "./staging.ts";
import { lstatIfAny, withSystemErrors } from "./system-error.ts";

/** A small file that goes beside the weights. */
export interface SideFile {
  readonly name: string;
  readonly bytes: Uint8Array | string;
}

/** Steps of {@link sealAndPublish}, in order. The model is on disk for good after "published". */
export type PublishStep = "verified" | "sealed" | "replacing" | "renamed" | "published";

export interface PublishOptions extends ReadOptions {
  /** Together every byte of every tensor. */
  readonly pieces: readonly MergedPiece[];
  /** Config, tokenizer and other files; not the index, card and manifest, which have their own place. */
  readonly sideFiles: readonly SideFile[];
  /** Text of README.md; see {@link modelCard}. */
  readonly modelCard: string;
  readonly provenance: Provenance;
  /** Called after each step. */
  readonly onStep?: (step: PublishStep) => void;
}

const cardName = "README.md";
const indexName = "model.safetensors.index.json";

/**
 * Verifies the staged weights, completes the directory and publishes it by one rename. On any error before "replacing" the
 * output path is untouched; staged bytes that do not have their digest are all named. Returns the manifest.
 */
export async function sealAndPublish(staging: Staging, options: PublishOptions): Promise<Manifest> {
  const small = smallFiles(staging, options);
  const files = new Map<string, FileRecord>();
  const tensors = new Map<string, TensorRecord>();
  const problems: CheckpointError[] = [];
  const pieces = Map.groupBy(options.pieces, ({ tensor }) => tensor);
  for (const file of staging.layout.files) {
    files.set(file.name, await verifyFile(staging, file, pieces, options, tensors, problems));
  }
  throwProblems(problems);
  options.onStep?.("verified");
  await removeOthers(staging);
  for (const [name, bytes] of small) {
    options.signal?.throwIfAborted();
    await writeDurably(join(staging.modelDir, name), bytes);
    files.set(name, { byteLength: Buffer.byteLength(bytes), sha256: sha256Bytes(bytes) });
  }
  const { planDigest } = staging;
  const manifest: Manifest = { schemaVersion: 1, planDigest, ...options.provenance, files, tensors };
  await writeDurably(join(staging.modelDir, manifestName), manifestText(manifest));
  await syncDirectory(staging.modelDir);
  options.onStep?.("sealed");
  options.signal?.throwIfAborted();
  await swapIn(staging, options);
  return manifest;
}

function smallFiles(staging: Staging, options: PublishOptions): Map<string, Uint8Array | string> {
  const files = new Map<string, Uint8Array | string>([[cardName, options.modelCard]]);
  if (staging.layout.index !== undefined) files.set(indexName, staging.layout.index);
  const problems: CheckpointError[] = [];
  const reserved = new Set([manifestName, indexName, cardName, ...staging.layout.files.map(({ name }) => name)]);
  for (const { name, bytes } of options.sideFiles) {
    const taken = reserved.has(name) ? "is written by amalgam itself" : undefined;
    const rule = fileNameRule(name) ?? taken ?? (files.has(name) ? "is given twice" : undefined);
    if (rule === undefined) files.set(name, bytes);
    else
      problems.push(
        new CheckpointError({ file: staging.outDir, rule: `the side file ${JSON.stringify(name)} ${rule}` }),
      );
  }
  throwProblems(problems);
  return files;
}

async function verifyFile(
  staging: Staging,
  layout: OutputFile,
  pieces: ReadonlyMap<string, readonly MergedPiece[]>,
  options: ReadOptions,
  tensors: Map<string, TensorRecord>,
  problems: CheckpointError[],
): Promise<FileRecord> {
  const file = layout.name;
  const path = staging.path(file);
  await flush(staging, path);
  await using source = await openFileSource(path, { noFollow: true });
  const header = new Uint8Array(layout.header.length);
  if (source.byteLength === layout.fileBytes) await source.readInto(header, 0, options);
  if (Buffer.compare(header, layout.header) !== 0) {
    throw new CheckpointError({ file: path, rule: "the staged file no longer has the size and header it was given" });
  }
  for (const [tensor, { begin, end, dtype, shape }] of layout.tensors) {
    const found = await stagedDigests(source, { begin, end }, pieces.get(tensor) ?? [], options);
    if (typeof found === "string") tensors.set(tensor, { file, dtype, shape, sha256: found });
    else problems.push(new CheckpointError({ file: path, tensor, ...found }));
  }
  return { byteLength: source.byteLength, headerSha256: sha256Bytes(layout.header) };
}

/** Also what other processes wrote reaches the disk with the fsync of any descriptor of the file. */
async function flush(staging: Staging, path: string): Promise<void> {
  await withSystemErrors(path, "flush it to disk", async () => {
    await using handle = await open(path, "r+");
    try {
      await handle.sync();
    } catch (error) {
      staging.distrust();
      throw error;
    }
  });
}

/** An earlier, interrupted seal may have left side files that this one does not write. */
async function removeOthers(staging: Staging): Promise<void> {
  const keep = new Set(staging.layout.files.map(({ name }) => name));
  const names = await withSystemErrors(staging.modelDir, "list it", () => readdir(staging.modelDir));
  for (const name of names) {
    if (keep.has(name)) continue;
    const path = join(staging.modelDir, name);
    await withSystemErrors(path, "remove it", () => rm(path, { recursive: true }));
  }
}

async function swapIn(staging: Staging, options: PublishOptions): Promise<void> {
  const { outDir, modelDir, stagingDir } = staging;
  const parent = dirname(outDir);
  // The path was free when the job began, which may be hours ago.
  await checkOutput(outDir, staging.overwrite);
  if ((await lstatIfAny(outDir)) !== undefined) {
    // Should the process die between these renames, the next run moves the old model back.
    await withSystemErrors(outDir, "move the old model away", () => rename(outDir, join(stagingDir, "old")));
    await syncDirectory(parent);
    options.onStep?.("replacing");
  }
  await withSystemErrors(outDir, "move the new model into place", () => rename(modelDir, outDir));
  options.onStep?.("renamed");
  await syncDirectory(parent);
  options.onStep?.("published");
  await staging.discard();
  await syncDirectory(parent);
}
