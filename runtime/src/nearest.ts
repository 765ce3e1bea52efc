/** "Did you mean ...?": the known name nearest to a mistyped one. */
import { distance } from "fastest-levenshtein";

/**
 * The nearest of `known`, the first of several equally near; upper and lower case are the same. Undefined when none is within
 * a third of the written name's length in edits (Levenshtein, 1966), rounded up, and at most 3.
 */
export function nearest(written: string, known: Iterable<string>): string | undefined {
  const mostEdits = Math.min(3, Math.ceil(written.length / 3));
  let best: { readonly name: string; readonly edits: number } | undefined;
  for (const name of known) {
    const edits = distance(written.toLowerCase(), name.toLowerCase());
    if (edits <= mostEdits && (best === undefined || edits < best.edits)) best = { name, edits };
  }
  return best?.name;
}
