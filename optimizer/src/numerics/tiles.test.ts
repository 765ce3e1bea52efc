// The vectors against plain arithmetic in the same order: equal to the bit, for all shapes and padding.

import fc from "fast-check";
import { expect, test } from "vitest";
import { createStream, purposes } from "./rng.ts";
import { loadRows, panel, reserve, rowsAtOnce, solvePanel, storeRows, subtractPanel } from "./tiles.ts";

function random(length: number, seed: number): Float64Array {
  const stream = createStream(seed, 0, purposes.start);
  return Float64Array.from({ length }, () => stream.normal());
}

const sizes = fc.integer({ min: 1, max: panel });
const rowCounts = fc.integer({ min: 1, max: rowsAtOnce });

test("the products of a panel are summed from left to right and then subtracted", () => {
  fc.assert(
    fc.property(rowCounts, sizes, sizes, fc.nat({ max: 99 }), (rows, columns, length, seed) => {
      const stride = length + columns + 3;
      const x = random(rows * stride, seed);
      const l = random(columns * stride, seed + 1);
      const expected = x.slice();
      for (let r = 0; r < rows; r++) {
        for (let j = 0; j < columns; j++) {
          let sum = 0;
          for (let k = 0; k < length; k++) sum += x[r * stride + k]! * l[j * stride + k]!;
          expected[r * stride + length + j]! -= sum;
        }
      }
      reserve(length + columns);
      loadRows(x, 0, stride, rows, 0, length + columns);
      subtractPanel(l, 0, stride, length, length + columns, rows, 0, length);
      storeRows(x, 0, stride, rows, length, length + columns);
      expect(x).toEqual(expected);
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("a panel is solved from its first unsolved column on, and nothing beyond its last is touched", () => {
  fc.assert(
    fc.property(rowCounts, sizes, sizes, fc.nat({ max: 99 }), (rows, one, other, seed) => {
      const [start, end] = [Math.min(one, other) - 1, Math.max(one, other)];
      const stride = panel + 4;
      const x = random(rows * stride, seed);
      const l = random(panel * stride, seed + 1);
      const expected = x.slice();
      for (let r = 0; r < rows; r++) {
        for (let j = start; j < end; j++) {
          let sum = 0;
          for (let k = 0; k < j; k++) sum += expected[r * stride + k]! * l[j * stride + k]!;
          expected[r * stride + j] = (expected[r * stride + j]! - sum) * (1 / l[j * stride + j]!);
        }
      }
      reserve(stride);
      loadRows(x, 0, stride, rows, 0, stride);
      solvePanel(l, start * stride, stride, start, end, rows, 0);
      storeRows(x, 0, stride, rows, 0, stride);
      expect(x).toEqual(expected);
    }),
    { numRuns: 60, seed: 2 },
  );
});
