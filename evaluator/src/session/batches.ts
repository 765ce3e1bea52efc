/**
 * Cuts token sequences, or images, into padded batches of like length, so that little of the work is padding. A pure function of the sequences and the
 * limits: the same batches, hence the same bits in the scores, on every machine and with any number of threads.
 */

import { inputNames } from "../graph/families/family.ts";
import { targetNames } from "../graph/heads.ts";
import type { ImageEncoding } from "../images/reader.ts";
import { float32, int32, type TensorData, type Tensors } from "./program.ts";

/** One tokenised text. */
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

/** What a model reads of one item. */
export type ModelInput = Encoding | ImageEncoding;

/** Rows that are padded to one length. */
export interface Batch {
  readonly tokens: number;
  /** For each row, the index of its item among the inputs. */
  readonly items: readonly number[];
  /** What each row is made of: texts, or images of one model. */
  readonly inputs: readonly ModelInput[];
}

export interface BatchLimits {
  /** Most rows in a batch. */
  readonly items: number;
  /** Most tokens in a batch, padding included; a longer single sequence still makes a batch of its own. */
  readonly tokens: number;
}

/** Every item in exactly one batch, shortest first, items of one length in their order. */
export function makeBatches(inputs: readonly ModelInput[], limits: BatchLimits): Batch[] {
  const length = (item: number): number => tokensOf(inputs[item]!);
  const order = [...inputs.keys()].sort((a, b) => length(a) - length(b) || a - b);
  const batches: Batch[] = [];
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && fits(end + 1 - start, length(order[end]!), limits)) end++;
    batches.push(batchOf(order.slice(start, end), inputs));
    start = end;
  }
  return batches;
}

function batchOf(items: readonly number[], all: readonly ModelInput[]): Batch {
  const inputs = items.map((item) => all[item]!);
  return { tokens: Math.max(...inputs.map(rowLength)), items, inputs };
}

const isImage = (input: ModelInput): input is ImageEncoding => "pixels" in input;

const rowLength = (input: ModelInput): number => (isImage(input) ? input.tokens : input.ids.length);

/** Those that an encoder and a decoder read. */
const tokensOf = (input: ModelInput): number =>
  rowLength(input) + (isImage(input) ? 0 : (input.targets?.decoderIds?.length ?? 0));

function fits(items: number, tokens: number, limits: BatchLimits): boolean {
  return items <= limits.items && items * tokens <= limits.tokens;
}

/** A batch as a graph takes it. */
export function feedsOf({ tokens, inputs }: Batch): Tensors {
  const images = inputs.filter(isImage);
  const [first] = images;
  if (first !== undefined) return first.processor.feeds(images.map(({ pixels }) => pixels));
  return textFeeds(inputs as readonly Encoding[], tokens);
}

function textFeeds(texts: readonly Encoding[], tokens: number): Tensors {
  const dims = [texts.length, tokens];
  const size = texts.length * tokens;
  const [ids, mask, types] = [new Int32Array(size), new Float32Array(size), new Int32Array(size)];
  for (const [row, text] of texts.entries()) {
    ids.set(text.ids, row * tokens);
    types.set(text.types, row * tokens);
    mask.fill(1, row * tokens, row * tokens + text.ids.length);
  }
  return {
    [inputNames.ids]: int32(dims, ids),
    [inputNames.mask]: float32(dims, mask),
    [inputNames.types]: int32(dims, types),
    ...(texts[0]!.targets && targetFeeds(texts, tokens)),
  };
}

function targetFeeds(texts: readonly Encoding[], tokens: number): Tensors {
  const targets = texts.map((text) => text.targets!);
  const decodes = targets[0]!.decoderIds !== undefined;
  const places = decodes ? Math.max(...targets.map(({ ids }) => ids.length)) : tokens;
  const dims = [texts.length, places];
  const size = texts.length * places;
  const [ids, weights, decoderIds] = [new Int32Array(size), new Float32Array(size), new Int32Array(size)];
  for (const [row, each] of targets.entries()) {
    ids.set(each.ids, row * places);
    weights.set(each.weights, row * places);
    decoderIds.set(each.decoderIds ?? [], row * places);
  }
  return {
    [targetNames.targets]: int32(dims, ids),
    [targetNames.weights]: float32(dims, weights),
    ...(decodes && { [inputNames.decoderIds]: int32(dims, decoderIds) }),
  };
}

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
