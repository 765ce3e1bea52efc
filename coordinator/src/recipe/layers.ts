/**
 * The depth of tensors, by their names alone: the first `.N.` of a name is a layer's index, counted within the names that share what comes
 * before it (so that encoder and decoder each have their own layers). mergekit takes layer counts from the architecture's config; they agree.
 */
const LAYER = /\.(\d+)\./;

/** Depth t in [0, 1] of each tensor: layer / (layers - 1), 1 for an only layer, 0 outside of the layers. */
export function tensorDepths(names: Iterable<string>): Map<string, number> {
  const places = new Map<string, { readonly stack: string; readonly layer: number } | undefined>();
  const layers = new Map<string, number>();
  for (const name of names) {
    const match = LAYER.exec(name);
    if (match === null) {
      places.set(name, undefined);
      continue;
    }
    const stack = name.slice(0, match.index);
    const layer = Number(match[1]);
    places.set(name, { stack, layer });
    layers.set(stack, Math.max(layers.get(stack) ?? 0, layer + 1));
  }
  const depths = new Map<string, number>();
  for (const [name, place] of places) {
    const count = place === undefined ? 0 : (layers.get(place.stack) ?? 1);
    depths.set(name, place === undefined ? 0 : count === 1 ? 1 : place.layer / (count - 1));
  }
  return depths;
}
