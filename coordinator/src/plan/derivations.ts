/** From a derived tensor's description to the wire: what a worker makes a segment's input of. */
import { cutRuns, type Derivation, dtypeBytes, type Factor, type LowRank, readRuns } from "@amalgam/checkpoint";
import { type DerivedInput, DerivedInputSchema, type MatrixSource, MatrixSourceSchema } from "@amalgam/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { FileNumbers } from "./layout.ts";

/** A derivation with its files by number; see `Derivation` of the checkpoint package. */
export interface PlannedDerivation {
  readonly rowElements: number;
  readonly sources: readonly MatrixSource[];
  readonly runs: Derivation["runs"];
}

export function planDerivation({ rowElements, sources, runs }: Derivation, files: FileNumbers): PlannedDerivation {
  const factor = ({ file, offset, dtype, transposed, rows }: Factor) => {
    return { file: files.get(file) ?? 0, offset: BigInt(offset), dtype, transposed, rows: BigInt(rows) };
  };
  const product = ({ rank, scale, left, right }: LowRank) => ({
    rank,
    scale,
    left: factor(left),
    right: factor(right),
  });
  return {
    rowElements,
    runs,
    sources: sources.map(({ file, offset, dtype, lowRank }) => {
      const matrix: MessageInitShape<typeof MatrixSourceSchema> = {
        file: files.get(file) ?? 0,
        offset: BigInt(offset),
        dtype,
      };
      return create(MatrixSourceSchema, lowRank === undefined ? matrix : { ...matrix, lowRank: product(lowRank) });
    }),
  };
}

/** What makes the elements from `firstElement` on. */
export function derivedInput(
  { rowElements, sources, runs }: PlannedDerivation,
  firstElement: number,
  elements: number,
): DerivedInput {
  const row = Math.floor(firstElement / rowElements);
  const rows = Math.ceil((firstElement + elements) / rowElements) - row;
  return create(DerivedInputSchema, {
    rowElements: BigInt(rowElements),
    sources: [...sources],
    runs: [...cutRuns(runs, row, rows)],
  });
}

/** Bytes of memory that deriving an element takes, at most, beside the element's own: terms of means, wide elements, factors. */
export function derivingBytes({ rowElements, sources, runs }: Derivation): number {
  let terms = 1;
  for (const run of readRuns(runs)) if (!run.constant) terms = Math.max(terms, run.terms.length);
  const wide = Math.max(0, ...sources.map(({ dtype }) => (dtypeBytes(dtype) > 4 ? dtypeBytes(dtype) : 0)));
  const factors = sources.reduce((sum, { rows, lowRank }) => {
    return sum + (lowRank === undefined ? 0 : 4 * lowRank.rank * (1 / rowElements + 1 / Math.max(1, rows)));
  }, 0);
  return 4 * (terms - 1) + wide + Math.ceil(factors);
}
