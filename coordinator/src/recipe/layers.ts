/**
 * The depth of tensors, by their names alone: the first `.N.` of a name is a layer's index, counted within the names that share what comes
 * before it (so that encoder and decoder each have their own layers). mergekit takes layer counts from the architecture's config; they agree.
 */
import { isBeforeLayers } from "@amalgam/checkpoint";

const LAYER = /\.(\d+)\./;

/** A tensor's layer within its stack of layers: -1 of none outside of the layers. */
export interface LayerPlace {
  readonly index: number;
  readonly count: number;
  /** The layer that it goes with: its own; outside of the layers the first or the last one of the longest stack. */
  readonly nearest: { readonly index: number; readonly count: number };
}

export function tensorLayers(names: Iterable<string>): Map<string, LayerPlace> {
  const places = new Map<string, { readonly stack: string; readonly layer: number } | undefined>();
  const counts = new Map<string, number>();
  for (const name of names) {
    const match = LAYER.exec(name);
    const place = match === null ? undefined : { stack: name.slice(0, match.index), layer: Number(match[1]) };
    places.set(name, place);
    if (place !== undefined) counts.set(place.stack, Math.max(counts.get(place.stack) ?? 0, place.layer + 1));
  }
  const longest = counts.values().reduce((most, count) => Math.max(most, count), 1);
  const before: LayerPlace = { index: -1, count: 0, nearest: { index: 0, count: longest } };
  const after: LayerPlace = { index: -1, count: 0, nearest: { index: longest - 1, count: longest } };
  const layers = new Map<string, LayerPlace>();
  for (const [name, place] of places) {
    if (place === undefined) {
      layers.set(name, isBeforeLayers(name) ? before : after);
      continue;
    }
    const own = { index: place.layer, count: counts.get(place.stack) ?? 1 };
    layers.set(name, { ...own, nearest: own });
  }
  return layers;
}

/** Depth t in [0, 1] of each tensor: layer / (layers - 1), 1 for an only layer, 0 outside of the layers. */
export function tensorDepths(names: Iterable<string>): Map<string, number> {
  const depths = new Map<string, number>();
  for (const [name, { index, count }] of tensorLayers(names)) {
    depths.set(name, index < 0 ? 0 : count === 1 ? 1 : index / (count - 1));
  }
  return depths;
}
