// What stands at an output path, and whether a new model may take its place.
import { readdir, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CheckpointError } from "./errors.ts";
import { maxJsonBytes } from "./limits.ts";
import { type Manifest, manifestName, parseManifest } from "./manifest.ts";
import { openFileSource, type ReadOptions } from "./source.ts";
import { lstatIfAny, systemError, withSystemErrors } from "./system-error.ts";

/** The manifest of a published model, or undefined when the directory does not exist or has none. */
export async function readManifest(directory: string, options: ReadOptions = {}): Promise<Manifest | undefined> {
  const path = join(directory, manifestName);
  if ((await lstatIfAny(path)) === undefined) return undefined;
  await using source = await openFileSource(path, { noFollow: true });
  if (source.byteLength > maxJsonBytes) {
    throw new CheckpointError({ file: path, rule: `has ${source.byteLength} bytes, more than ${maxJsonBytes}` });
  }
  const bytes = new Uint8Array(source.byteLength);
  await source.readInto(bytes, 0, options);
  return parseManifest(bytes, path);
}

/** Something that stands where the output should. */
const taken = (file: string, rule: string, hint?: string): CheckpointError =>
  new CheckpointError({ file, rule, code: "already_exists", ...(hint === undefined ? {} : { hint }) });

/** The real path an output will have: absolute, an existing link followed to the directory it names. */
export async function resolveOutput(outDir: string): Promise<string> {
  const path = resolve(outDir);
  const real = await realpath(path).catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return path;
    if (code === "ENOTDIR")
      throw taken(outDir, "a part of the path is not a directory", "choose another output directory");
    throw systemError(outDir, "open it", error);
  });
  if (resolve(real, "..") === real) throw taken(outDir, "is the root directory");
  return real;
}

/**
 * Throws `already_exists` unless a model may be published at `outDir`: it does not exist, is an empty directory, or is an earlier output of
 * Amalgam and `overwrite` is set. Anything else is never replaced: the directory would be deleted.
 */
export async function checkOutput(outDir: string, overwrite: boolean): Promise<void> {
  const stats = await lstatIfAny(outDir);
  if (stats === undefined) return;
  if (!stats.isDirectory()) throw taken(outDir, "exists and is not a directory");
  const names = await withSystemErrors(outDir, "list it", () => readdir(outDir));
  if (names.length === 0) return;
  if (!names.includes(manifestName)) {
    const rule = `exists, is not empty and is not an output of amalgam (it has no ${manifestName})`;
    throw taken(outDir, rule, "choose another output directory");
  }
  if (!overwrite) {
    const hint = "pass --overwrite to replace it, or choose another output directory";
    throw taken(outDir, "already holds a merged model", hint);
  }
  const manifest = await readManifest(outDir);
  const foreign = names.filter((name) => name !== manifestName && manifest?.files.has(name) !== true);
  if (foreign.length > 0) {
    const rule = `holds files that amalgam did not write (${foreign.slice(0, 5).join(", ")}): they would be deleted`;
    throw taken(outDir, rule, "move them away, or choose another output directory");
  }
}
