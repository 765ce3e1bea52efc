/** What references of a recipe mean now, for those that could come to mean something else: a revision of the Hub, by its commit. */

import { companionKinds } from "./methods.ts";

/** Pinned reference by reference, both as a recipe writes them. */
export type Pins = Readonly<Record<string, string>>;

/** What a reference means. */
export const pinned = (pins: Pins, reference: string): string =>
  Object.hasOwn(pins, reference) ? (pins[reference] as string) : reference;

/** Keys of a recipe's document whose text names a checkpoint or a file. */
const referenceKeys = (): ReadonlySet<string> =>
  new Set(["model", "base_model", "path", "source", ...companionKinds()]);

/** The document of a recipe (see `recipeDocument`) with every pinned reference in the place of what was written. */
export function pinDocument(document: unknown, pins: Pins): unknown {
  const keys = referenceKeys();
  const walk = (value: unknown, key: string): unknown => {
    if (typeof value === "string") return keys.has(key) ? pinned(pins, value) : value;
    if (Array.isArray(value)) return value.map((item) => walk(item, key));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, walk(item, name)]));
  };
  return walk(document, "");
}
