// Merge methods from files that the command line names. Their code runs in this process: only who starts it may name them, never a recipe.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { LANGUAGE, type MethodFile, registerMethod } from "@amalgam/kernels";
import { AmalgamError } from "./errors.ts";

const loaded = new Set<string>();

/** Absolute paths of the files loaded in this thread, for the threads and processes it starts. */
export const loadedMethods = (): readonly string[] => [...loaded];

/**
 * Loads method files, each once, and makes their methods known by name in this thread.
 * @throws AmalgamError invalid_argument when a file cannot be loaded or is no method
 */
export async function loadMethods(files: readonly string[]): Promise<void> {
  for (const file of files.map((each) => resolve(each))) {
    if (loaded.has(file)) continue;
    try {
      const { default: define } = (await import(pathToFileURL(file).href)) as { default?: MethodFile };
      if (typeof define !== "function")
        throw new TypeError("it needs a default export: a function that gets the language");
      registerMethod(define(LANGUAGE));
    } catch (error) {
      const { message } = error as Error;
      throw new AmalgamError("invalid_argument", `${file}: is not a merge method: ${message}`, { cause: error });
    }
    loaded.add(file);
  }
}
