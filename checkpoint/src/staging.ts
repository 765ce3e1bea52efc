// The staging directory of an output: beside it, so that one rename publishes; named after it, so that the same command finds it
// again; with every file at its final size and header, so that ranges arrive in any order. Publishing is publish.ts.
//
//   <parent>/.<name>.amalgam-staging/
//     lock           held while a process works here
//     staging.json   the plan the files below belong to; written last, so it vouches for them
//     model/         becomes <parent>/<name>
//     old/           the replaced model, between two renames
import { rmSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { syncDirectory } from "./durable.ts";
import { CheckpointError } from "./errors.ts";
import type { ByteRange, OutputFile, OutputLayout } from "./layout.ts";
import type { Manifest } from "./manifest.ts";
import { checkOutput, readManifest, resolveOutput } from "./output-directory.ts";
import { openRangeWriter, type RangeWriter } from "./range-writer.ts";
import type { ReadOptions } from "./source.ts";
import { canResume, checkSpace, prepareStaging, stampName } from "./staging-files.ts";
import { lockFile } from "./staging-lock.ts";
import { lstatIfAny, withSystemErrors } from "./system-error.ts";

export interface StagingOptions extends ReadOptions {
  /** Digest (hex) of what the manifest says decides the output's bytes: recipe, inputs, seed, back-end. */
  readonly planDigest: string;
  /**
   * Digest (hex) of all that really does, such as the identity of the input files on this machine: staged bytes of the same plan
   * and fingerprint are kept, others are deleted.
   */
  readonly fingerprint?: string;
  /** Replace an earlier output of Amalgam. */
  readonly overwrite?: boolean;
  /** Space to find free for the files beside the weights; 1 MiB unless given. */
  readonly sideFileBytes?: number;
}

/** An output being written. Disposing it closes files and lets go of the lock; what is staged stays for the next run. */
export interface Staging extends AsyncDisposable {
  /** Real path of the output. */
  readonly outDir: string;
  readonly stagingDir: string;
  /** Where the files lie until they are published. */
  readonly modelDir: string;
  readonly layout: OutputLayout;
  readonly planDigest: string;
  /** Text of the file that vouches for the staged files: who finds it there sees the same storage. */
  readonly stamp: string;
  readonly overwrite: boolean;
  /** True when files of the same plan were found and kept. */
  readonly resumed: boolean;
  /** Path of a staged weight file, for {@link openRangeWriter} in a worker thread or process. */
  path(file: string): string;
  /** Where a tensor goes: its file and absolute byte range. */
  locate(tensor: string): ByteRange & { readonly file: string };
  /** Writes at an absolute offset of a weight file. The range must lie in the data section. */
  writeRange(file: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** Flushes what `writeRange` wrote to disk. After an error all staged bytes are distrusted, see `distrust`. */
  flush(): Promise<void>;
  /**
   * Makes the next run start from nothing. For a failed flush: the kernel forgets the pages it could not write, so that reading
   * them back may show bytes that never reached the disk.
   */
  distrust(): void;
  /** Deletes the staging directory. */
  discard(): Promise<void>;
}

/**
 * Prepares the staging directory of `outDir`, or takes up the one an interrupted run of the same plan left. Throws when the
 * output may not be written (see {@link checkOutput}), another process is writing it, or the disk has too little space.
 */
export async function createStaging(outDir: string, layout: OutputLayout, options: StagingOptions): Promise<Staging> {
  const target = await resolveOutput(outDir);
  const stagingDir = stagingPath(target);
  await withSystemErrors(outDir, "create its directory", () => mkdir(dirname(target), { recursive: true }));
  await withSystemErrors(stagingDir, "create it", () => mkdir(stagingDir, { recursive: true }));
  if ((await lstatIfAny(stagingDir))?.isDirectory() !== true) {
    throw new CheckpointError({ file: stagingDir, rule: "is not a directory", hint: "remove it" });
  }
  const lock = lockFile(join(stagingDir, "lock"), outDir);
  const modelDir = join(stagingDir, "model");
  try {
    await restoreOld(stagingDir, target);
    await checkOutput(target, options.overwrite === true);
    const resumed = await canResume(stagingDir, modelDir, layout, stampOf(options));
    await checkSpace(stagingDir, modelDir, layout, resumed, options.sideFileBytes);
    if (!resumed) await prepareStaging(stagingDir, modelDir, layout, stampOf(options), options);
    return new OpenStaging(target, stagingDir, layout, options, resumed, lock);
  } catch (error) {
    await removeIfWorthless(stagingDir);
    lock[Symbol.dispose]();
    throw error;
  }
}

/**
 * The manifest of `outDir` when it already holds the published output of this very run: one that was killed after the rename is
 * done. Removes what it left beside the output.
 */
export async function findPublished(
  outDir: string,
  isOurs: (manifest: Manifest) => boolean | Promise<boolean>,
): Promise<Manifest | undefined> {
  const target = await resolveOutput(outDir);
  const manifest = (await lstatIfAny(target))?.isDirectory() === true ? await readManifest(target) : undefined;
  if (manifest === undefined || !(await isOurs(manifest))) return undefined;
  const stagingDir = stagingPath(target);
  if ((await lstatIfAny(join(stagingDir, "lock"))) !== undefined) {
    using _ = lockFile(join(stagingDir, "lock"), outDir);
    await restoreOld(stagingDir, target);
    await removeIfWorthless(stagingDir);
  }
  return manifest;
}

function stampOf({ planDigest, fingerprint }: StagingOptions): string {
  return `${JSON.stringify({ schemaVersion: 1, planDigest, fingerprint })}\n`;
}

function stagingPath(target: string): string {
  return join(dirname(target), `.${basename(target)}.amalgam-staging`);
}

/** A refused or finished command leaves no directory behind, unless there is a replaced model or staged work in it. */
async function removeIfWorthless(stagingDir: string): Promise<void> {
  const has = async (name: string) => (await lstatIfAny(join(stagingDir, name))) !== undefined;
  if ((await has("old")) || ((await has("model")) && (await has(stampName)))) return;
  await rm(stagingDir, { recursive: true, force: true });
}

class OpenStaging implements Staging {
  readonly outDir: string;
  readonly stagingDir: string;
  readonly modelDir: string;
  readonly layout: OutputLayout;
  readonly planDigest: string;
  readonly stamp: string;
  readonly overwrite: boolean;
  readonly resumed: boolean;
  readonly #lock: Disposable;
  readonly #files: ReadonlyMap<string, OutputFile>;
  readonly #places = new Map<string, ByteRange & { file: string }>();
  readonly #writers = new Map<string, Promise<RangeWriter>>();

  constructor(
    outDir: string,
    stagingDir: string,
    layout: OutputLayout,
    options: StagingOptions,
    resumed: boolean,
    lock: Disposable,
  ) {
    this.outDir = outDir;
    this.stagingDir = stagingDir;
    this.modelDir = join(stagingDir, "model");
    this.layout = layout;
    this.planDigest = options.planDigest;
    this.stamp = stampOf(options);
    this.overwrite = options.overwrite === true;
    this.resumed = resumed;
    this.#lock = lock;
    this.#files = new Map(layout.files.map((file) => [file.name, file]));
    for (const { name: file, tensors } of layout.files) {
      for (const [tensor, { begin, end }] of tensors) this.#places.set(tensor, { file, begin, end });
    }
  }

  path(file: string): string {
    return join(this.modelDir, this.#file(file).name);
  }

  locate(tensor: string): ByteRange & { readonly file: string } {
    const place = this.#places.get(tensor);
    if (place === undefined)
      throw new CheckpointError({ file: this.outDir, tensor, rule: "the output has no such tensor" });
    return place;
  }

  async writeRange(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    if (offset < this.#file(file).header.length) {
      throw new CheckpointError({ file: this.path(file), rule: `offset ${offset} lies in the header` });
    }
    const opening = this.#writers.get(file) ?? openRangeWriter(this.path(file));
    this.#writers.set(file, opening);
    await (await opening).write(bytes, offset);
  }

  async flush(): Promise<void> {
    try {
      for (const writer of this.#writers.values()) await (await writer).flush();
    } catch (error) {
      this.distrust();
      throw error;
    }
  }

  distrust(): void {
    rmSync(join(this.stagingDir, stampName), { force: true });
  }

  async discard(): Promise<void> {
    await this.#closeWriters();
    await withSystemErrors(this.stagingDir, "remove it", () => rm(this.stagingDir, { recursive: true, force: true }));
    this.#lock[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeWriters();
    this.#lock[Symbol.dispose]();
  }

  async #closeWriters(): Promise<void> {
    const opened = await Promise.allSettled(this.#writers.values());
    this.#writers.clear();
    for (const each of opened) if (each.status === "fulfilled") await each.value[Symbol.asyncDispose]();
  }

  #file(name: string): OutputFile {
    const file = this.#files.get(name);
    if (file === undefined) throw new CheckpointError({ file: this.outDir, rule: `the output has no file ${name}` });
    return file;
  }
}

/** A crash between the two renames of an overwrite left the old model here: put it back before anything else. */
async function restoreOld(stagingDir: string, target: string): Promise<void> {
  const old = join(stagingDir, "old");
  if ((await lstatIfAny(old)) === undefined) return;
  if ((await lstatIfAny(target)) === undefined) {
    await withSystemErrors(target, "restore it", () => rename(old, target));
    await syncDirectory(dirname(target));
  } else await withSystemErrors(old, "remove it", () => rm(old, { recursive: true, force: true }));
}
