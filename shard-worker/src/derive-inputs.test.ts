import { cutRuns, RunBuilder, readRuns } from "@amalgam/checkpoint";
import { createMemory, type DTypeName, decodeElements, encodeElements } from "@amalgam/kernels";
import { ShardSchema } from "@amalgam/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { deriveInputs } from "./derive-inputs.ts";
import { derivedSlots, inputRanges, layOutShard } from "./shard-layout.ts";

type ShardInit = MessageInitShape<typeof ShardSchema>;
type SegmentInit = NonNullable<ShardInit["segments"]>[number];
type InputInit = NonNullable<SegmentInit["inputs"]>[number];

interface Stored {
  readonly dtype: DTypeName;
  /** As they are once stored. */
  readonly values: readonly number[];
}
interface Matrix extends Stored {
  readonly product?: {
    readonly rank: number;
    readonly scale: number;
    readonly left: Stored & { readonly transposed: boolean };
    readonly right: Stored & { readonly transposed: boolean };
  };
}
interface Case {
  readonly columns: number;
  readonly rows: number;
  readonly matrices: readonly Matrix[];
  readonly runs: Uint32Array;
  readonly totalRows: number;
}

const float = fc.float({ min: Math.fround(-2), max: Math.fround(2), noNaN: true });

const storedArbitrary = (count: number): fc.Arbitrary<Stored> =>
  fc
    .record({
      dtype: fc.constantFrom<DTypeName>("F32", "BF16", "F16", "F64", "F8_E4M3"),
      values: fc.array(float, { minLength: count, maxLength: count }),
    })
    .map(({ dtype, values }) => ({ dtype, values: [...decodeElements(encodeElements(values, dtype), dtype)] }));

const matrixArbitrary = (rows: number, columns: number): fc.Arbitrary<Matrix> => {
  const factor = (count: number) =>
    fc.record({ stored: storedArbitrary(count), transposed: fc.boolean() }).map(({ stored, transposed }) => {
      return { ...stored, transposed };
    });
  const product = fc.integer({ min: 1, max: 3 }).chain((rank) =>
    fc.record({
      rank: fc.constant(rank),
      scale: float,
      left: factor(rows * rank),
      right: factor(rank * columns),
    }),
  );
  return fc
    .record({ stored: storedArbitrary(rows * columns), product: fc.option(product, { nil: undefined }) })
    .map(({ stored, product }) => (product === undefined ? stored : { ...stored, product }));
};

const cases: fc.Arbitrary<Case> = fc
  .record({ columns: fc.integer({ min: 1, max: 9 }), rows: fc.integer({ min: 1, max: 6 }) })
  .chain(({ columns, rows }) =>
    fc.record({
      columns: fc.constant(columns),
      rows: fc.constant(rows),
      matrices: fc.array(matrixArbitrary(rows, columns), { minLength: 1, maxLength: 3 }),
      picks: fc.array(
        fc.record({
          terms: fc.array(fc.record({ source: fc.nat(2), row: fc.nat(rows - 1) }), { maxLength: 3 }),
          rows: fc.integer({ min: 1, max: 3 }),
          constant: fc.boolean(),
        }),
        { minLength: 1, maxLength: 6 },
      ),
    }),
  )
  .map(({ columns, rows, matrices, picks }) => {
    const builder = new RunBuilder();
    let totalRows = 0;
    for (const pick of picks) {
      const terms = pick.terms.map(({ source, row }) => ({ source: source % matrices.length, row }));
      const longest = Math.min(pick.rows, ...(pick.constant ? [] : terms.map(({ row }) => rows - row)));
      const [only] = terms;
      if (terms.length === 1 && only !== undefined && !pick.constant) builder.copy(only.source, only.row, longest);
      else builder.append({ rows: longest, terms, constant: pick.constant });
      totalRows += longest;
    }
    return { columns, rows, matrices, runs: builder.finish(), totalRows };
  });

const f = Math.fround;
const at = (stored: Stored & { transposed: boolean }, rows: number, columns: number, row: number, column: number) =>
  f(stored.values[stored.transposed ? column * rows + row : row * columns + column]!);

/** The definition: row by row, element by element. */
function expected({ columns, rows, matrices, runs }: Case): number[] {
  const element = ({ values, product }: Matrix, row: number, column: number): number => {
    const stored = f(values[row * columns + column]!);
    if (product === undefined) return stored;
    let sum = 0;
    for (let k = 0; k < product.rank; k++) {
      const left = at(product.left, rows, product.rank, row, k);
      sum = f(sum + f(left * at(product.right, product.rank, columns, k, column)));
    }
    return f(stored + f(sum * f(product.scale)));
  };
  const result: number[] = [];
  for (const run of readRuns(runs)) {
    for (let i = 0; i < run.rows; i++) {
      for (let column = 0; column < columns; column++) {
        const terms = run.terms.map(({ source, row }) =>
          element(matrices[source]!, run.constant ? row : row + i, column),
        );
        const sum = terms.reduce((total, term) => f(total + term), terms.length === 0 ? 0 : -0);
        result.push(terms.length > 1 ? f(sum / terms.length) : sum);
      }
    }
  }
  return result;
}

/** Puts every stored thing into one file, as the wire names it. */
function wire({ rows, columns, matrices }: Case) {
  const chunks: Uint8Array[] = [];
  let offset = 8;
  const store = ({ dtype, values }: Stored) => {
    const bytes = encodeElements(values, dtype);
    const place = { file: 0, offset: BigInt(offset), dtype };
    chunks.push(bytes);
    offset += bytes.length;
    return place;
  };
  const sources = matrices.map((matrix) => {
    const { product } = matrix;
    if (product === undefined) return store(matrix);
    const { rank, scale, left, right } = product;
    const lowRank = {
      rank,
      scale,
      left: { ...store(left), transposed: left.transposed, rows: BigInt(rows) },
      right: { ...store(right), transposed: right.transposed, rows: BigInt(rank) },
    };
    return { ...store(matrix), lowRank };
  });
  return { sources, file: Buffer.concat([new Uint8Array(8), ...chunks]), columns };
}

function derive(input: InputInit, file: Uint8Array, firstElement: number, elements: number) {
  const segment = { tensor: "t", shape: [BigInt(elements)], outputDtype: "F32", inputs: [input] };
  const shard = create(ShardSchema, {
    segments: [{ ...segment, firstElement: BigInt(firstElement), elements: BigInt(elements) }],
  });
  const layout = layOutShard(shard, "all", false);
  const memory = createMemory(layout.scratchAddress + 64);
  const bytes = new Uint8Array(memory.buffer).fill(0xff);
  for (const { offset, bytes: length, address } of inputRanges(layout, new Set([0]))) {
    bytes.set(file.subarray(offset, offset + length), address);
  }
  deriveInputs(memory, layout, derivedSlots(layout, new Set([0])), () => {});
  const plan = layout.segments[0]!.inputs[0]!;
  return bytes.slice(plan.address, plan.address + plan.bytes);
}

test("any part of a derived matrix has the bits of the definition: products, means, zeros, repeated rows, every dtype", () => {
  fc.assert(
    fc.property(cases, fc.nat(), fc.nat(), (one, a, b) => {
      const { columns, runs, totalRows } = one;
      const { sources, file } = wire(one);
      const total = totalRows * columns;
      const [first, end] = [a % total, (b % total) + 1].sort((x, y) => x - y) as [number, number];
      const elements = Math.max(1, end - first);
      const row = Math.floor(first / columns);
      const rows = Math.ceil((first + elements) / columns) - row;
      const derived = { rowElements: BigInt(columns), sources, runs: [...cutRuns(runs, row, rows)] };
      const bytes = derive({ dtype: "F32", derived }, file, first, elements);
      expect([...decodeElements(bytes, "F32")]).toEqual(expected(one).slice(first, first + elements));
    }),
    { numRuns: 500 },
  );
});

test("rows of one dtype that are only moved keep their bytes, and zero rows are written even where memory was used before", () => {
  const values = [1, 2, 3, 4, 5, 6];
  const file = Buffer.concat([new Uint8Array(8), encodeElements(values, "BF16")]);
  const runs = new RunBuilder();
  runs.copy(0, 2);
  runs.zero();
  runs.copy(0, 0);
  runs.copy(0, 1);
  const encoded = runs.finish();
  expect([...encoded]).toEqual([1, 2, 0, 2, 1, 0, 2, 2, 0, 0]);
  const sources = [{ file: 0, offset: 8n, dtype: "BF16" }];
  const derived = { rowElements: 2n, sources, runs: [...encoded] };
  const bytes = derive({ dtype: "BF16", derived }, file, 0, 8);
  expect([...decodeElements(bytes, "BF16")]).toEqual([5, 6, 0, 0, 1, 2, 3, 4]);
});

test("what is copied instead of merged is rounded once to the dtype that is asked for", () => {
  const file = Buffer.concat([new Uint8Array(8), encodeElements([1, 1 + 2 ** -7], "BF16"), encodeElements([3], "F32")]);
  const lowRank = {
    rank: 1,
    scale: 2 ** -10,
    left: { file: 0, offset: 12n, dtype: "F32", rows: 1n },
    right: { file: 0, offset: 8n, dtype: "BF16", rows: 1n },
  };
  const sources = [{ file: 0, offset: 8n, dtype: "BF16", lowRank }];
  const derived = { rowElements: 2n, sources, runs: [1, 2, 0, 0] };
  const bytes = derive({ dtype: "BF16", derived }, file, 0, 2);
  const exact = [1 + 3 * 2 ** -10, (1 + 2 ** -7) * (1 + 3 * 2 ** -10)];
  expect([...bytes]).toEqual([...encodeElements(exact, "BF16")]);
});

test("a cut of runs is what the whole gives for these rows", () => {
  fc.assert(
    fc.property(cases, fc.nat(), fc.nat(), ({ runs, totalRows }, a, b) => {
      const rowsOf = (encoded: ArrayLike<number>): string[] =>
        [...readRuns(encoded)].flatMap(({ rows, terms, constant }) =>
          Array.from({ length: rows }, (_, i) =>
            JSON.stringify(terms.map(({ source, row }) => [source, constant ? row : row + i])),
          ),
        );
      const first = a % totalRows;
      const count = b % (totalRows - first + 1);
      expect(rowsOf(cutRuns(runs, first, count))).toEqual(rowsOf(runs).slice(first, first + count));
    }),
  );
});
