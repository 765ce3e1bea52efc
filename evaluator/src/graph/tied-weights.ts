/**
 * Families name every weight as the module that reads it does; a checkpoint stores a weight that several modules share under one of their
 * names. Which one is decided here, for all families.
 */

import { type JsonObject, tiedGroups } from "@amalgam/checkpoint";
import type { GraphBuilder } from "./builder.ts";

/**
 * Makes a graph read its weights under the names that a checkpoint stores. What the config ties is one weight, unless the checkpoint stores
 * it under several names: then each name is a weight of its own, as for transformers, which unties what it finds stored apart.
 * @param stored whether the checkpoint has a tensor of this name; without it, all that the config ties is taken to be stored once
 */
export function tieWeights(graph: GraphBuilder, config: JsonObject, stored?: (tensor: string) => boolean): void {
  const groups = tiedGroups(config, stored ?? ((name) => graph.weights.has(name)));
  for (const group of groups) {
    for (const name of stored === undefined ? group.stored : group.absent) graph.renameWeight(name, group.stored[0]!);
  }
}
