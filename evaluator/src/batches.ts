/**
 * Cuts token sequences into padded batches of like length, so that little of the work is padding. A pure function of the sequences and the
 * limits: the same batches, hence the same bits in the scores, on every machine and with any number of threads.
 */

import { inputNames } from "./graph/families/family.ts";
import { targetNames } from "./graph/heads.ts";
import { float32, int32, type TensorData, type Tensors } from "./program.ts";

/** One tokenised item. */
export interface Encoding {
  readonly ids: readonly number[];
  /** 0 for the first text and 1 for the second; as long as `ids`. */
  readonly types: readonly number[];
  /** What is asked of a language model about it; all encodings of a batch have it, or none. */
  readonly targets?: Targets;
}

/** The tokens whose log-probabilities are read off a language model's logits. */
export interface Targets {
  /** For each place of the logits. */
  readonly ids: readonly number[];
  /** What each counts; 0 for places that are none of the text's. */
  readonly weights: readonly number[];
  /** What the decoder of a sequence-to-sequence model reads: its places are those of the logits. Without it they are those of the encoding's `ids`. */
  readonly decoderIds?: readonly number[];
}

/** A padded batch, all arrays `[items, tokens]`. */
export interface Batch {
  readonly tokens: number;
  readonly ids: Int32Array;
  /** 1 for a token, 0 for padding. */
  readonly mask: Float32Array;
  readonly types: Int32Array;
  /** For each row, the index of its item among the encodings. */
  readonly items: readonly number[];
  readonly targets?: BatchTargets;
}

/** A batch's {@link Targets}, all arrays `[items, places]`. */
export interface BatchTargets {
  readonly places: number;
  readonly ids: Int32Array;
  readonly weights: Float32Array;
  readonly decoderIds?: Int32Array;
}

export interface BatchLimits {
  /** Most rows in a batch. */
  readonly items: number;
  /** Most tokens in a batch, padding included; a longer single sequence still makes a batch of its own. */
  readonly tokens: number;
}

/** Every item in exactly one batch, shortest first, items of one length in their order. */
export function makeBatches(encodings: readonly Encoding[], limits: BatchLimits): Batch[] {
  const length = (item: number): number => tokensOf(encodings[item]!);
  const order = [...encodings.keys()].sort((a, b) => length(a) - length(b) || a - b);
  const batches: Batch[] = [];
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && fits(end + 1 - start, length(order[end]!), limits)) end++;
    batches.push(pad(order.slice(start, end), encodings));
    start = end;
  }
  return batches;
}

/** Those that an encoder and a decoder read. */
const tokensOf = ({ ids, targets }: Encoding): number => ids.length + (targets?.decoderIds?.length ?? 0);

function fits(items: number, tokens: number, limits: BatchLimits): boolean {
  return items <= limits.items && items * tokens <= limits.tokens;
}

function pad(items: readonly number[], encodings: readonly Encoding[]): Batch {
  const tokens = Math.max(...items.map((item) => encodings[item]!.ids.length));
  const size = items.length * tokens;
  const arrays = { ids: new Int32Array(size), mask: new Float32Array(size), types: new Int32Array(size) };
  const targets = encodings[items[0]!]!.targets === undefined ? {} : { targets: padTargets(items, encodings, tokens) };
  const batch = { tokens, ...arrays, items, ...targets };
  items.forEach((item, row) => {
    const { ids, types } = encodings[item]!;
    batch.ids.set(ids, row * tokens);
    batch.types.set(types, row * tokens);
    batch.mask.fill(1, row * tokens, row * tokens + ids.length);
  });
  return batch;
}

function padTargets(items: readonly number[], encodings: readonly Encoding[], tokens: number): BatchTargets {
  const targets = items.map((item) => encodings[item]!.targets!);
  const decodes = targets[0]!.decoderIds !== undefined;
  const places = decodes ? Math.max(...targets.map(({ ids }) => ids.length)) : tokens;
  const size = items.length * places;
  const padded = { places, ids: new Int32Array(size), weights: new Float32Array(size) };
  const decoderIds = new Int32Array(decodes ? size : 0);
  for (const [row, { ids, weights, decoderIds: read = [] }] of targets.entries()) {
    padded.ids.set(ids, row * places);
    padded.weights.set(weights, row * places);
    decoderIds.set(read, row * places);
  }
  return decodes ? { ...padded, decoderIds } : padded;
}

/** A batch as a graph takes it. */
export function feedsOf({ items, tokens, ids, mask, types, targets }: Batch): Tensors {
  const dims = [items.length, tokens];
  return {
    [inputNames.ids]: int32(dims, ids),
    [inputNames.mask]: float32(dims, mask),
    [inputNames.types]: int32(dims, types),
    ...(targets && targetFeeds(targets, [items.length, targets.places])),
  };
}

const targetFeeds = ({ ids, weights, decoderIds }: BatchTargets, dims: readonly number[]): Tensors => ({
  [targetNames.targets]: int32(dims, ids),
  [targetNames.weights]: float32(dims, weights),
  ...(decoderIds && { [inputNames.decoderIds]: int32(dims, decoderIds) }),
});

/** One row per item, in the items' own order; `outputs[i]` is `[batches[i].items.length, ...]`, float32. */
export function scatterRows(batches: readonly Pick<Batch, "items">[], outputs: readonly TensorData[]): Float32Array[] {
  const rows: Float32Array[] = new Array(batches.reduce((sum, { items }) => sum + items.length, 0));
  batches.forEach(({ items }, i) => {
    const data = outputs[i]!.data as Float32Array;
    const length = data.length / items.length;
    items.forEach((item, row) => {
      rows[item] = data.subarray(row * length, (row + 1) * length);
    });
  });
  return rows;
}
