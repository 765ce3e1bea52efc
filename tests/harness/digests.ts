// What a directory holds, as digests that can be compared.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** sha256 of every file under `directory`, by path. */
export async function digestsOf(directory: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    digests[relative(directory, path)] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  }
  return Object.fromEntries(Object.entries(digests).toSorted());
}
