// Where `merge` and `search` keep the journal of their job: beside the output, like the staging directory, so that the same
// command finds it again. A command that can only fail again leaves nothing behind.
import { existsSync } from "node:fs";
import { mkdir, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AmalgamError, isPermanent, toAmalgamError } from "@amalgam/runtime";

export interface StateDirectory {
  readonly path: string;
  /** False when an earlier run of the command left it. */
  readonly isNew: boolean;
  /** Runs `work`; when it fails for good, everything that this command created is removed. */
  guard<T>(work: () => Promise<T>): Promise<T>;
  remove(): Promise<void>;
}

export async function openStateDirectory(outputDirectory: string): Promise<StateDirectory> {
  const parent = dirname(outputDirectory);
  const path = join(parent, `.${basename(outputDirectory)}.amalgam-journal`);
  const isNew = !existsSync(path);
  // The first directory that was missing, or undefined when none was.
  const created = await mkdir(path, { recursive: true }).catch((error: Error) => {
    const { code } = toAmalgamError(error);
    throw new AmalgamError(
      code,
      `${outputDirectory}: cannot write beside the output: ${error.message}; choose another output directory`,
      { cause: error },
    );
  });
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
  return {
    path,
    isNew,
    remove,
    async guard(work) {
      try {
        return await work();
      } catch (error) {
        if (isNew && isPermanent(toAmalgamError(error).code)) {
          await remove();
          await removeEmpty(parent, created);
        }
        throw error;
      }
    },
  };
}

/** Removes the empty directories from `directory` up to `first`. */
async function removeEmpty(directory: string, first: string | undefined): Promise<void> {
  for (let at = directory; first !== undefined && at.startsWith(first); at = dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      return;
    }
  }
}
