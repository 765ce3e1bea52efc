// Keeps two processes from staging the same output. Node has no flock, but SQLite takes the same kind of lock, and the kernel
// releases it when the process dies, however it dies; a file with a process id in it would outlive a kill.
import { closeSync, openSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { CheckpointError } from "./errors.ts";
import { systemError } from "./system-error.ts";

/** Takes the lock or throws at once. `shown` is the output the lock is for, as errors name it. */
export function lockFile(path: string, shown: string): Disposable {
  try {
    // Creating it first gives the system's own reason when that fails.
    closeSync(openSync(path, "a"));
  } catch (error) {
    throw systemError(shown, "create its staging lock", error);
  }
  const before = statSync(path).ino;
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    throw busy(shown, error);
  }
  // The previous holder removes the file while it still holds the lock; a lock on a removed file protects nothing.
  if (statSync(path, { throwIfNoEntry: false })?.ino !== before) {
    database.close();
    throw busy(shown);
  }
  return {
    [Symbol.dispose]() {
      if (database.isOpen) database.close();
    },
  };
}

function busy(file: string, cause?: unknown): CheckpointError {
  const hint = "wait for it, or choose another output directory";
  return new CheckpointError({ file, rule: "another process is writing this output", hint, cause });
}
