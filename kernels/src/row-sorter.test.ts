import fc from "fast-check";
import { expect, test } from "vitest";
import { rankFractions } from "./rank.ts";
import { RowSorter } from "./row-sorter.ts";
import { generator } from "./testing/models.ts";

const value = fc.oneof(
  fc.float(),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(0, -0, Infinity, -Infinity, Number.NaN),
);
const table = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 6 })).chain(([rowElements, rows]) =>
  fc.record({
    rowElements: fc.constant(rowElements),
    values: fc
      .array(value, { minLength: rows * rowElements, maxLength: rows * rowElements })
      .map((v) => Float32Array.from(v)),
  }),
);
const rowsOf = (values: Float32Array, rowElements: number): Float32Array[] =>
  Array.from({ length: values.length / rowElements }, (_, r) => values.slice(r * rowElements, (r + 1) * rowElements));

function ranked(sorter: RowSorter, values: Float32Array, rowElements: number): Float32Array {
  sorter.values(values.length).set(values);
  return sorter.ranks(values.length / rowElements, rowElements);
}

test("ranks are those of each row by itself", () => {
  const sorter = new RowSorter();
  fc.assert(
    fc.property(table, ({ rowElements, values }) => {
      const expected = rowsOf(values, rowElements).flatMap((row) => [...rankFractions(row)]);
      expect([...ranked(sorter, values, rowElements)]).toEqual(expected);
    }),
  );
});

test.each([2047, 4096, 100_003])("ranks of rows of %i values are those of each row by itself", (rowElements) => {
  const next = generator(rowElements);
  const sorter = new RowSorter();
  // Few bits that vary, many, and many equal values.
  for (const draw of [() => next() + 1, () => (next() - 0.5) ** 9, () => Math.floor(next() * 5)]) {
    const values = Float32Array.from({ length: 2 * rowElements }, draw);
    const expected = rowsOf(values, rowElements).map(rankFractions);
    const found = rowsOf(ranked(sorter, values, rowElements), rowElements);
    expect(found.every((row, r) => row.every((x, i) => x === expected[r]![i]))).toBe(true);
  }
});

test("the largest values of a row are those a sort puts first, equal ones by index", () => {
  const sorter = new RowSorter();
  fc.assert(
    fc.property(table, fc.integer({ min: 1, max: 41 }), ({ rowElements, values }, rank) => {
      sorter.values(values.length).set(values);
      sorter.sort(values.length / rowElements, rowElements);
      rowsOf(values, rowElements).forEach((row, r) => {
        const { threshold, cutoff } = sorter.largest(r, rank);
        const order = (x: number): number => (Number.isNaN(x) ? Infinity : x === Infinity ? 2 ** 200 : x);
        const sorted = [...row.keys()].sort((a, b) => order(row[b]!) - order(row[a]!) || a - b);
        const isKept = (i: number): boolean => {
          if (order(row[i]!) !== order(threshold)) return order(row[i]!) > order(threshold);
          return i < cutoff;
        };
        expect(sorted.filter(isKept)).toEqual(sorted.slice(0, Math.max(0, rank)));
      });
    }),
  );
});
