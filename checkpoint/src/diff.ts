// How far two checkpoints are apart, per tensor and per layer, as data for `amalgam diff`. Streams both through small buffers;
// sums in float64, in element order, so the numbers do not depend on buffer sizes or on how files are cut.
import { type Checkpoint, openCheckpointFile, resolveTensor, type TensorRef } from "./checkpoint.ts";
import { decodeToFloat64 } from "./decode.ts";
import { dtypeBytes, elementCount } from "./dtype.ts";
import { layerOf } from "./layer.ts";
import type { CheckpointSource, ReadOptions } from "./source.ts";

/** Distance of b from a. NaN where a value is NaN; `relative` and `cosine` are NaN where a norm is zero. */
export interface Distance {
  /** Square root of the sum of (b - a)^2. */
  readonly l2: number;
  /** l2 divided by the norm of a. */
  readonly relative: number;
  /** <a, b> / (|a| |b|). */
  readonly cosine: number;
  /** Largest |b - a|. */
  readonly maxAbs: number;
  readonly elements: number;
}

export interface CheckpointDiff {
  /** Tensors of both, in a's order. */
  readonly tensors: ReadonlyMap<string, Distance>;
  /** The same, summed over layers; key undefined: tensors outside numbered layers. */
  readonly layers: ReadonlyMap<string | undefined, Distance>;
  readonly total: Distance;
  readonly onlyInA: readonly string[];
  readonly onlyInB: readonly string[];
  /** Tensors of both in different shapes: not compared. */
  readonly reshaped: readonly string[];
}

export interface DiffOptions extends ReadOptions {
  /** Called after each tensor with the share of bytes done, 0 to 1. */
  readonly onProgress?: (fraction: number) => void;
}

const pieceElements = 256 * 1024;

export async function diffCheckpoints(
  a: Checkpoint,
  b: Checkpoint,
  options: DiffOptions = {},
): Promise<CheckpointDiff> {
  const pairs: { left: TensorRef; right: TensorRef }[] = [];
  const reshaped: string[] = [];
  for (const left of a.tensors.values()) {
    const right = resolveTensor(b, left.name);
    if (right === undefined) continue;
    if (left.shape.join() === right.shape.join()) pairs.push({ left, right });
    else reshaped.push(left.name);
  }
  const totalElements = pairs.reduce((sum, { left }) => sum + elementCount(left.shape), 0);
  const sums = new Map<string, Sums>();
  let done = 0;
  await using sources = new AsyncDisposableStack();
  const opened = new Map<Checkpoint, Map<string, CheckpointSource>>([a, b].map((model) => [model, new Map()]));
  const sourceOf = async (model: Checkpoint, file: string): Promise<CheckpointSource> => {
    const files = opened.get(model)!;
    const source = files.get(file) ?? sources.use(await openCheckpointFile(model, file));
    files.set(file, source);
    return source;
  };
  for (const { left, right } of pairs) {
    sums.set(
      left.name,
      await sumsOf(left, await sourceOf(a, left.file), right, await sourceOf(b, right.file), options),
    );
    done += elementCount(left.shape);
    options.onProgress?.(totalElements === 0 ? 1 : done / totalElements);
  }
  const byLayer = Map.groupBy(sums, ([name]) => layerOf(name));
  return {
    tensors: new Map([...sums].map(([name, sum]) => [name, distance([sum])])),
    layers: new Map([...byLayer].map(([layer, members]) => [layer, distance(members.map(([, sum]) => sum))])),
    total: distance([...sums.values()]),
    onlyInA: [...a.tensors.keys()].filter((name) => resolveTensor(b, name) === undefined),
    onlyInB: [...b.tensors.keys()].filter((name) => resolveTensor(a, name) === undefined),
    reshaped,
  };
}

interface Sums {
  squares: number;
  leftSquares: number;
  rightSquares: number;
  products: number;
  maxAbs: number;
  elements: number;
}

async function sumsOf(
  left: TensorRef,
  leftSource: CheckpointSource,
  right: TensorRef,
  rightSource: CheckpointSource,
  options: ReadOptions,
): Promise<Sums> {
  const sums: Sums = {
    squares: 0,
    leftSquares: 0,
    rightSquares: 0,
    products: 0,
    maxAbs: 0,
    elements: elementCount(left.shape),
  };
  for (let begin = 0; begin < sums.elements; begin += pieceElements) {
    const count = Math.min(pieceElements, sums.elements - begin);
    const x = await readPiece(left, leftSource, begin, count, options);
    const y = await readPiece(right, rightSource, begin, count, options);
    addPiece(sums, x, y);
  }
  return sums;
}

async function readPiece(
  tensor: TensorRef,
  source: CheckpointSource,
  begin: number,
  count: number,
  options: ReadOptions,
): Promise<Float64Array> {
  const size = dtypeBytes(tensor.dtype);
  const bytes = new Uint8Array(count * size);
  await source.readInto(bytes, tensor.offset + begin * size, options);
  return decodeToFloat64(bytes, tensor.dtype);
}

function addPiece(sums: Sums, x: Float64Array, y: Float64Array): void {
  let { squares, leftSquares, rightSquares, products, maxAbs } = sums;
  for (let i = 0; i < x.length; i++) {
    const left = x[i]!;
    const right = y[i]!;
    const difference = right - left;
    squares += difference * difference;
    leftSquares += left * left;
    rightSquares += right * right;
    products += left * right;
    maxAbs = Math.max(maxAbs, Math.abs(difference));
  }
  Object.assign(sums, { squares, leftSquares, rightSquares, products, maxAbs });
}

function distance(parts: readonly Sums[]): Distance {
  const sum = (of: (part: Sums) => number) => parts.reduce((total, part) => total + of(part), 0);
  const l2 = Math.sqrt(sum((part) => part.squares));
  const leftNorm = Math.sqrt(sum((part) => part.leftSquares));
  const rightNorm = Math.sqrt(sum((part) => part.rightSquares));
  return {
    l2,
    relative: l2 / leftNorm,
    cosine: sum((part) => part.products) / (leftNorm * rightNorm),
    maxAbs: parts.reduce((largest, part) => Math.max(largest, part.maxAbs), 0),
    elements: sum((part) => part.elements),
  };
}
