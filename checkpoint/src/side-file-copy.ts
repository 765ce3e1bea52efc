// Reads the side files of a checkpoint, to be published beside merged weights.
import { type Checkpoint, readSideFile } from "./checkpoint.ts";
import { maxSideFileBytes } from "./limits.ts";
import type { SideFile } from "./publish.ts";
import type { ReadOptions } from "./source.ts";

export interface CollectOptions extends ReadOptions {
  /** Names of files that are left behind. */
  readonly without?: readonly string[] | undefined;
}

/** The side files of a checkpoint with their bytes; `replaced` (name to contents) wins over and adds to them. Sorted by name. */
export async function collectSideFiles(
  checkpoint: Checkpoint,
  replaced: Readonly<Record<string, Uint8Array | string>> = {},
  { without = [], ...options }: CollectOptions = {},
): Promise<SideFile[]> {
  const files: SideFile[] = Object.entries(replaced).map(([name, bytes]) => ({ name, bytes }));
  for (const name of checkpoint.sideFiles) {
    if (Object.hasOwn(replaced, name) || without.includes(name)) continue;
    files.push({ name, bytes: await readSideFile(checkpoint, name, maxSideFileBytes, options) });
  }
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
