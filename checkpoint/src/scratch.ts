// A folder beside a file that is being made, for what one run leaves to the next. One process at a time has it.
import { mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { lockFile } from "./staging-lock.ts";
import { withSystemErrors } from "./system-error.ts";

/** Disposing it lets go of the lock; what is in the folder stays. */
export interface Scratch extends Disposable {
  readonly directory: string;
  /** Deletes the folder. */
  remove(): Promise<void>;
}

/** Opens the scratch folder of a file, `.<name>.amalgam-scratch`. Throws when another process has it, or the system refuses. */
export async function openScratch(path: string): Promise<Scratch> {
  const directory = join(dirname(path), `.${basename(path)}.amalgam-scratch`);
  await withSystemErrors(path, "create its directory", () => mkdir(directory, { recursive: true }));
  const lock = lockFile(join(directory, "lock"), path);
  return {
    directory,
    remove: () => withSystemErrors(directory, "remove it", () => rm(directory, { recursive: true, force: true })),
    [Symbol.dispose]: () => lock[Symbol.dispose](),
  };
}
