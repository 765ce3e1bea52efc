/**
 * Reads the files that a text from somewhere else names beside itself, such as a task its data: nothing outside of its folder, links followed,
 * and no more than memory is meant to hold.
 */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, posix, sep } from "node:path";
import { CheckpointError } from "./errors.ts";
import { withSystemErrors } from "./system-error.ts";

/** How the names of images end, in small letters. */
const imageExtensions = [".jpg", ".jpeg", ".png", ".webp", ".gif"];

/** What is read at a time of a folder of many small files. */
const filesAtOnce = 16;

/**
 * The file at a path, or the images below the folder there, by their paths from `root` with `/` between names, in byte order.
 * @param root the folder that the path starts from, and that nothing may lie outside of
 * @param maxBytes of all images of a folder
 * @throws CheckpointError for a path that leads nowhere or out of `root`, a folder without images, or one with more bytes
 */
export async function readDataFiles(
  root: string,
  path: string,
  maxBytes: number = 2 ** 30,
): Promise<Map<string, Uint8Array>> {
  const inside = await realpath(root);
  /** Where a path leads, once it is known to lead inside. */
  const locate = (name: string): Promise<string> =>
    withSystemErrors(name, "read it", async () => {
      const real = await realpath(join(root, name));
      if (real.startsWith(inside + sep)) return real;
      throw new CheckpointError({ file: name, rule: "lies outside of the folder of the file that names it" });
    });
  const place = await locate(path);
  if (!(await stat(place)).isDirectory()) return new Map([[path, await readFile(place)]]);

  const entries = await readdir(place, { recursive: true, withFileTypes: true });
  const names = entries
    .filter(({ name }) => imageExtensions.some((extension) => name.toLowerCase().endsWith(extension)))
    .map((entry) => posix.join(path, ...relativeParts(place, entry.parentPath), entry.name))
    .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  if (names.length === 0)
    throw new CheckpointError({ file: path, rule: `holds no images (${imageExtensions.join(", ")})` });
  const files = new Map<string, Uint8Array>();
  let bytes = 0;
  for (let first = 0; first < names.length; first += filesAtOnce) {
    const some = await Promise.all(
      names.slice(first, first + filesAtOnce).map(async (name) => {
        const real = await locate(name);
        return { name, real, size: (await stat(real)).size };
      }),
    );
    bytes += some.reduce((sum, { size }) => sum + size, 0);
    if (bytes > maxBytes) {
      const hint = "keep the files that are needed, or make them smaller";
      throw new CheckpointError({ file: path, rule: `holds more than ${maxBytes / 2 ** 20} MiB`, hint });
    }
    const contents = await Promise.all(some.map(({ real }) => readFile(real)));
    for (const [index, { name }] of some.entries()) files.set(name, contents[index]!);
  }
  return files;
}

function relativeParts(folder: string, inner: string): string[] {
  return inner.slice(folder.length).split(sep).filter(Boolean);
}
