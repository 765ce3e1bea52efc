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
  const path = join(dirname(outputDirectory), `.${basename(outputDirectory)}.amalgam-journal`);
  const missing = missingDirectories(path);
  const isNew = missing.length > 0;
  const removeEmpty = async (): Promise<void> => {
    for (const directory of missing.toReversed()) await rmdir(directory).catch(() => undefined);
  };
  try {
    for (const directory of missing) await makeDirectory(directory);
  } catch (error) {
    await removeEmpty();
    throw refused(outputDirectory, error as NodeJS.ErrnoException);
  }
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
          await removeEmpty();
        }
        throw error;
      }
    },
  };
}

/** The system's reason without the path of the journal, which nobody asked for. */
function refused(outputDirectory: string, cause: NodeJS.ErrnoException): AmalgamError {
  const { code } = toAmalgamError(cause);
  // Its parent is there, so what is missing is the file system's will: /proc answers like that.
  const forbidden = code === "not_found";
  const reason = forbidden
    ? "the file system takes no new directories there"
    : cause.message.replace(/^[A-Z]+: /, "").replace(/, mkdir .*$/s, "");
  const text = `${outputDirectory}: cannot write beside the output: ${reason}; choose another output directory`;
  return new AmalgamError(forbidden ? "permission_denied" : code, text, { cause });
}

/** Outermost first. Node's own recursive mkdir never ends where the file system refuses new names as if a parent were missing. */
function missingDirectories(path: string): string[] {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.unshift(at);
  return missing;
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    // Another command made it meanwhile.
    if (error.code !== "EEXIST") throw error;
  });
}
