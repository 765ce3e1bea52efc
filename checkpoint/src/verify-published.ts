// Whether a published model is still what its manifest says.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { sha256Range } from "./digest.ts";
import { CheckpointError, problemsOf, throwProblems } from "./errors.ts";
import { type Manifest, manifestName } from "./manifest.ts";
import { readManifest } from "./output-directory.ts";
import { type HeaderRead, readHeader } from "./read-header.ts";
import { type FileSource, openFileSource, type ReadOptions } from "./source.ts";
import { systemError } from "./system-error.ts";

async function notPublished(directory: string): Promise<CheckpointError> {
  await readdir(directory).catch((error: unknown) => {
    throw systemError(directory, "open it", error);
  });
  const rule = `is not an output of amalgam: it has no ${manifestName}`;
  return new CheckpointError({ file: directory, rule, hint: "name the directory that a merge has written" });
}

/** Reads every file of a published model and compares it with the manifest. Throws all differences at once. */
export async function verifyPublished(directory: string, options: ReadOptions = {}): Promise<Manifest> {
  const manifest = await readManifest(directory, options);
  if (manifest === undefined) throw await notPublished(directory);
  const problems: CheckpointError[] = [];
  const report = (file: string, rule: string, tensor?: string) =>
    problems.push(
      new CheckpointError({ file: join(directory, file), rule, ...(tensor === undefined ? {} : { tensor }) }),
    );
  const present = new Set(await readdir(directory));
  const tensorsOf = Map.groupBy(manifest.tensors, ([, { file }]) => file);
  for (const [file, record] of manifest.files) {
    if (!present.has(file)) {
      report(file, "is in the manifest but not in the directory");
      continue;
    }
    await using source = await openFileSource(join(directory, file), { noFollow: true });
    const { byteLength } = record;
    if (source.byteLength !== byteLength) {
      report(file, `has ${source.byteLength} bytes, the manifest says ${byteLength}`);
    } else if ("sha256" in record) {
      if ((await sha256Range(source, 0, byteLength, options)) !== record.sha256)
        report(file, "its sha256 is not the manifest's");
    } else {
      for (const [tensor, rule] of await wrongTensors(source, record.headerSha256, tensorsOf.get(file) ?? [], options))
        report(file, rule, tensor);
    }
  }
  for (const file of present) {
    if (file !== manifestName && !manifest.files.has(file)) report(file, "is in the directory but not in the manifest");
  }
  throwProblems(problems);
  return manifest;
}

type Wrong = readonly [tensor: string | undefined, rule: string];

async function wrongTensors(
  source: FileSource,
  headerSha256: string,
  expected: readonly (readonly [tensor: string, { readonly sha256: string }])[],
  options: ReadOptions,
): Promise<Wrong[]> {
  let read: HeaderRead;
  try {
    read = await readHeader(source, options);
  } catch (error) {
    return problemsOf(error).map(({ tensor, rule }) => [tensor, rule]);
  }
  if (read.headerSha256 !== headerSha256) return [[undefined, "the sha256 of its header is not the manifest's"]];
  const wrong: Wrong[] = [];
  for (const [tensor, { sha256 }] of expected) {
    const place = read.header.tensors.get(tensor);
    if (place === undefined) {
      wrong.push([tensor, "is in the manifest but not in the file"]);
      continue;
    }
    const { begin, end } = place;
    if ((await sha256Range(source, read.dataOffset + begin, read.dataOffset + end, options)) !== sha256)
      wrong.push([tensor, "its sha256 is not the manifest's"]);
  }
  return wrong;
}
