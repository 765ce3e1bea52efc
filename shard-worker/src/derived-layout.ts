// How a derived input comes to be in a shard's memory: the ranges to read, and the steps that make float32 elements of them. Pure
// arithmetic. Narrow elements are read to where the end of their widened form will be, and widen in place, forwards.
import { type DType, dtypeBytes, isDType, type RowRun, readRuns } from "@amalgam/checkpoint";
import { type DTypeName, isFloatDType } from "@amalgam/kernels";
import type { DerivedInput, Factor, LowRank, MatrixSource } from "@amalgam/proto";
import { TaskError } from "./task-error.ts";

/** Bytes of a file, and where they go. */
export interface StoredRange {
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
  readonly address: number;
}

/** Addresses are of float32 elements unless a dtype is named. */
export type DeriveStep =
  | { readonly kind: "zero"; readonly address: number; readonly bytes: number }
  | {
      readonly kind: "convert";
      readonly from: DTypeName;
      readonly source: number;
      readonly to: DTypeName;
      readonly target: number;
      readonly elements: number;
    }
  /** Of a matrix [rows, columns], in place. */
  | { readonly kind: "transpose"; readonly address: number; readonly rows: number; readonly columns: number }
  /** Adds scale * left @ right to elements that follow each other from column `firstColumn` of a row on. */
  | {
      readonly kind: "product";
      readonly target: number;
      readonly elements: number;
      readonly firstColumn: number;
      readonly rowElements: number;
      /** [rows, rank] and [rank, rowElements]. */
      readonly left: number;
      readonly right: number;
      readonly rank: number;
      readonly scale: number;
    }
  | { readonly kind: "add"; readonly source: number; readonly target: number; readonly elements: number }
  | { readonly kind: "divide"; readonly target: number; readonly elements: number; readonly divisor: number }
  /** Repeats one row, from column `firstColumn` on, until `elements` are filled. */
  | {
      readonly kind: "repeat";
      readonly source: number;
      readonly target: number;
      readonly elements: number;
      readonly firstColumn: number;
      readonly rowElements: number;
    };

export interface DerivedLayout {
  readonly address: number;
  readonly ranges: readonly StoredRange[];
  /** In this order, once, when all ranges have been read. */
  readonly steps: readonly DeriveStep[];
}

/** The elements of a tensor that a segment has, and the dtype that they are to have. */
export interface DerivedTarget {
  readonly tensor: string;
  readonly dtype: DType;
  readonly firstElement: number;
  readonly elements: number;
}

/**
 * Lays out one derived input.
 * @param take hands out that many bytes of memory, aligned to 16
 * @throws TaskError invalid_argument when the input does not make sense
 */
export function layOutDerived(
  input: DerivedInput,
  { tensor, dtype, firstElement, elements }: DerivedTarget,
  take: (bytes: number) => number,
): DerivedLayout {
  const rowElements = Number(input.rowElements);
  const runs = [...readRuns(input.runs)];
  const firstColumn = firstElement % rowElements;
  const moves = runs.every((run) => movesOnly(run, input.sources, dtype));
  const address = take(elements * (moves ? dtypeBytes(dtype) : Math.max(4, dtypeBytes(dtype))));
  const layout = new Layout(tensor, input.sources, rowElements, take);
  let done = 0;
  let column = firstColumn;
  for (const run of runs) {
    const count = Math.min(run.rows * rowElements - column, elements - done);
    const piece = { run, column, elements: count };
    if (moves) layout.move(piece, dtype, address + done * dtypeBytes(dtype));
    else layout.make(piece, address + 4 * done);
    done += count;
    column = 0;
  }
  if (done !== elements) {
    throw new TaskError("invalid_argument", `tensor "${tensor}": rows for ${done} of a segment's ${elements} elements`);
  }
  if (!moves && dtype !== "F32") layout.narrow(address, elements, floating(tensor, dtype));
  return { address, ranges: layout.ranges, steps: layout.steps };
}

/** Elements of a run: from `column` of its first row on. */
interface Piece {
  readonly run: RowRun;
  readonly column: number;
  readonly elements: number;
}

class Layout {
  readonly ranges: StoredRange[] = [];
  readonly #tensor: string;
  readonly #sources: readonly MatrixSource[];
  readonly #rowElements: number;
  readonly #take: (bytes: number) => number;
  readonly #factorSteps: DeriveStep[] = [];
  readonly #steps: DeriveStep[] = [];
  /** Addresses of the right factors, which all rows of a source share. */
  readonly #rights = new Map<number, number>();

  constructor(tensor: string, sources: readonly MatrixSource[], rowElements: number, take: (bytes: number) => number) {
    this.#tensor = tensor;
    this.#sources = sources;
    this.#rowElements = rowElements;
    this.#take = take;
  }

  get steps(): readonly DeriveStep[] {
    return [...this.#factorSteps, ...this.#steps];
  }

  /** Bytes as they are. */
  move({ run: { terms }, column, elements }: Piece, dtype: DType, address: number): void {
    const size = dtypeBytes(dtype);
    const [term] = terms;
    if (term === undefined) this.#steps.push({ kind: "zero", address, bytes: elements * size });
    else this.#read(this.#source(term.source), size, term.row * this.#rowElements + column, elements, address);
  }

  /** Float32: the mean of the run's terms. */
  make({ run: { rows, terms, constant }, column, elements }: Piece, target: number): void {
    const rowElements = this.#rowElements;
    if (terms.length === 0) {
      this.#steps.push({ kind: "zero", address: target, bytes: 4 * elements });
      return;
    }
    const repeats = constant && rows > 1;
    const [first, length] = repeats ? [0, rowElements] : [column, elements];
    const sum = repeats ? this.#take(4 * length) : target;
    terms.forEach(({ source, row }, i) => {
      const address = i === 0 ? sum : this.#take(4 * length);
      this.#term(source, row, first, length, address);
      if (i > 0) this.#steps.push({ kind: "add", source: address, target: sum, elements: length });
    });
    if (terms.length > 1) {
      this.#steps.push({ kind: "divide", target: sum, elements: length, divisor: terms.length });
    }
    if (repeats) {
      this.#steps.push({ kind: "repeat", source: sum, target, elements, firstColumn: column, rowElements });
    }
  }

  narrow(address: number, elements: number, to: DTypeName): void {
    if (dtypeBytes(to) > 4) {
      throw new TaskError("invalid_argument", `tensor "${this.#tensor}": derived inputs are not made as ${to}`);
    }
    this.#steps.push({ kind: "convert", from: "F32", source: address, to, target: address, elements });
  }

  /** Elements of one source from column `column` of a row on, with its product. */
  #term(index: number, row: number, column: number, elements: number, target: number): void {
    const source = this.#source(index);
    const rowElements = this.#rowElements;
    this.#widen(source, elements, target, this.#steps, (size, address) =>
      this.#read(source, size, row * rowElements + column, elements, address),
    );
    const { lowRank } = source;
    if (lowRank?.left === undefined || lowRank.right === undefined) return;
    const { rank, scale } = lowRank;
    const rows = Math.ceil((column + elements) / rowElements);
    const left = this.#factor(lowRank.left, { first: row, rows, columns: rank });
    const right = this.#right(index, lowRank, lowRank.right);
    this.#steps.push({ kind: "product", target, elements, firstColumn: column, rowElements, left, right, rank, scale });
  }

  #right(index: number, { rank }: LowRank, right: Factor): number {
    const known = this.#rights.get(index);
    if (known !== undefined) return known;
    const address = this.#factor(right, { first: 0, rows: rank, columns: this.#rowElements });
    this.#rights.set(index, address);
    return address;
  }

  /** Rows of a factor, widened; `columns` is the whole length of its rows. */
  #factor(factor: Factor, { first, rows, columns }: { first: number; rows: number; columns: number }): number {
    const target = this.#take(4 * rows * columns);
    this.#widen(factor, rows * columns, target, this.#factorSteps, (size, address) => {
      if (!factor.transposed) return this.#read(factor, size, first * columns, rows * columns, address);
      const stored = Number(factor.rows);
      if (rows === stored) return this.#read(factor, size, 0, rows * columns, address);
      for (let column = 0; column < columns; column++) {
        this.#read(factor, size, column * stored + first, rows, address + column * rows * size);
      }
    });
    if (factor.transposed) {
      this.#factorSteps.push({ kind: "transpose", address: target, rows: columns, columns: rows });
    }
    return target;
  }

  /** Has `read` fill a place with stored elements, from which they widen to `target`. */
  #widen(
    { dtype }: { readonly dtype: string },
    elements: number,
    target: number,
    steps: DeriveStep[],
    read: (size: number, address: number) => void,
  ): void {
    const from = floating(this.#tensor, dtype);
    const size = dtypeBytes(from);
    const source = size > 4 ? this.#take(size * elements) : target + (4 - size) * elements;
    read(size, source);
    if (from !== "F32") steps.push({ kind: "convert", from, source, to: "F32", target, elements });
  }

  #read(
    { file, offset }: { readonly file: number; readonly offset: bigint },
    size: number,
    firstElement: number,
    elements: number,
    address: number,
  ): void {
    this.ranges.push({ file, offset: Number(offset) + firstElement * size, bytes: elements * size, address });
  }

  #source(index: number): MatrixSource {
    const source = this.#sources[index];
    if (source !== undefined) return source;
    throw new TaskError(
      "invalid_argument",
      `tensor "${this.#tensor}": rows of source ${index}, which it does not have`,
    );
  }
}

function movesOnly({ rows, terms, constant }: RowRun, sources: readonly MatrixSource[], dtype: DType): boolean {
  if (terms.length > 1 || (constant && rows > 1 && terms.length > 0)) return false;
  return terms.every(({ source }) => sources[source]?.dtype === dtype && sources[source].lowRank === undefined);
}

function floating(tensor: string, dtype: string): DTypeName {
  if (isDType(dtype) && isFloatDType(dtype)) return dtype;
  throw new TaskError("invalid_argument", `tensor "${tensor}": derived from ${dtype}, which is no float dtype`);
}
