// Tensors that are no range of bytes of a file, but made of such ranges while they are read: what an adapter adds to a matrix, and
// the rows that a merged vocabulary takes from several models. Data only; shard workers do the arithmetic.
import type { CheckpointFile } from "./checkpoint.ts";
import type { DType } from "./dtype.ts";
import type { RowRuns } from "./row-runs.ts";

/** Bytes of one matrix, row-major. */
export interface StoredMatrix {
  readonly file: CheckpointFile;
  /** Absolute in the file. */
  readonly offset: number;
  readonly dtype: DType;
  readonly rows: number;
}

/** A factor of a product; `rows` are those of the factor, also where its transpose is what is stored. */
export interface Factor extends StoredMatrix {
  readonly transposed: boolean;
}

/** scale * left @ right, where left is [rows, rank] and right is [rank, row elements]. */
export interface LowRank {
  readonly rank: number;
  readonly scale: number;
  readonly left: Factor;
  readonly right: Factor;
}

/** A matrix as it is stored, and what is added to it. */
export interface DerivedSource extends StoredMatrix {
  readonly lowRank?: LowRank;
}

/** A matrix [rows, rowElements] whose rows are made of rows of its sources. Computed in float32 and never rounded in between. */
export interface Derivation {
  readonly rowElements: number;
  readonly sources: readonly DerivedSource[];
  readonly runs: RowRuns;
  /** The sources' dtype where rows are only moved, else F32: what there is to read without rounding. */
  readonly dtype: DType;
}

/** The dtype in which all rows of a derivation are exact. */
export function derivedDType(sources: readonly DerivedSource[], averages: boolean): DType {
  const [first] = sources;
  const moves = !averages && sources.every(({ dtype, lowRank }) => dtype === first?.dtype && lowRank === undefined);
  return moves && first !== undefined ? first.dtype : "F32";
}
