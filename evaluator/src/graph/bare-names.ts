/** A checkpoint that was saved from a model without its head names every tensor without the model's prefix: `wte.weight`, not `transformer.wte.weight`. */

import type { GraphBuilder } from "./builder.ts";

/** Makes a graph read what a checkpoint stores without its first name under that name; GPT-2's own files are so. */
export function readBareNames(graph: GraphBuilder, stored: (tensor: string) => boolean): void {
  for (const name of [...graph.weights.keys()]) {
    const bare = name.slice(name.indexOf(".") + 1);
    if (!stored(name) && stored(bare)) graph.renameWeight(name, bare);
  }
}
