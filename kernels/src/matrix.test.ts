import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeElements } from "./convert.ts";
import { type DTypeName, dtypeBytes, FLOAT_DTYPES } from "./dtype.ts";
import { createMatrixKernels, MATRIX_BLOCK_BYTES } from "./matrix.ts";
import { createMemory } from "./wasm/host.ts";

const AREA = 1024;
const value = fc.float({ min: Math.fround(-2), max: Math.fround(2), noNaN: true });

function setUp() {
  const memory = createMemory(65_536);
  const kernels = createMatrixKernels(memory, 0);
  expect(MATRIX_BLOCK_BYTES).toBeLessThanOrEqual(AREA);
  const bytes = new Uint8Array(memory.buffer);
  const floats = (address: number, count: number): number[] => [...new Float32Array(memory.buffer, address, count)];
  const put = (address: number, values: readonly number[]): void => {
    new Float32Array(memory.buffer, address, values.length).set(values);
  };
  return { kernels, bytes, floats, put };
}

test("every dtype widens in place: the source ends where the target does, or begins with it", () => {
  const run = fc.property(fc.constantFrom(...FLOAT_DTYPES), fc.array(value, { maxLength: 70 }), (dtype, values) => {
    const { kernels, bytes, floats } = setUp();
    const raw = encodeElements(values, dtype);
    const source = AREA + Math.max(0, 4 - dtypeBytes(dtype)) * values.length;
    bytes.set(raw, source);
    kernels.convert(dtype, source, "F32", AREA, values.length);
    const rounded = new Float32Array(values.length);
    const other = createMemory(65_536);
    new Uint8Array(other.buffer).set(raw, 32_768);
    createMatrixKernels(other, 0).convert(dtype, 32_768, "F32", AREA, values.length);
    rounded.set(new Float32Array(other.buffer, AREA, values.length));
    expect(floats(AREA, values.length)).toEqual([...rounded]);
  });
  fc.assert(run);
});

test("float32 narrows in place as it is encoded elsewhere", () => {
  const dtypes: DTypeName[] = ["BF16", "F16", "F8_E4M3", "F8_E5M2"];
  fc.assert(
    fc.property(fc.constantFrom(...dtypes), fc.array(value, { maxLength: 70 }), (dtype, values) => {
      const { kernels, bytes, put } = setUp();
      put(AREA, values);
      kernels.convert("F32", AREA, dtype, AREA, values.length);
      const encoded = encodeElements(values, dtype);
      expect([...bytes.slice(AREA, AREA + encoded.length)]).toEqual([...encoded]);
    }),
  );
});

test("sums and quotients are those of float32, whatever the length", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value), { maxLength: 70 }), fc.integer({ min: 1, max: 9 }), (pairs, by) => {
      const { kernels, floats, put } = setUp();
      put(
        AREA,
        pairs.map(([a]) => a),
      );
      put(
        8192,
        pairs.map(([, b]) => b),
      );
      kernels.add(8192, AREA, pairs.length);
      kernels.divide(AREA, pairs.length, by);
      expect(floats(AREA, pairs.length)).toEqual(pairs.map(([a, b]) => Math.fround(Math.fround(a + b) / by)));
    }),
  );
});

test("a low-rank product is summed from the first rank to the last, scaled and added, and pieces of a row give the bits of the whole", () => {
  const shapes = fc.record({
    rank: fc.integer({ min: 1, max: 9 }),
    columns: fc.integer({ min: 1, max: 70 }),
    cut: fc.nat(70),
    scale: value,
    seed: fc.infiniteStream(value),
  });
  fc.assert(
    fc.property(shapes, ({ rank, columns, cut, scale, seed }) => {
      const { kernels, floats, put } = setUp();
      const draw = (count: number): number[] => Array.from({ length: count }, () => seed.next().value as number);
      const [row, left, right] = [draw(columns), draw(rank), draw(rank * columns)];
      put(AREA, row);
      put(8192, left);
      put(16_384, right);
      const piece = (from: number, to: number): void =>
        kernels.addLowRank({
          target: AREA + 4 * from,
          elements: to - from,
          left: 8192,
          right: 16_384 + 4 * from,
          rank,
          rightRowBytes: 4 * columns,
          scale,
        });
      const middle = Math.min(cut, columns);
      piece(0, middle);
      piece(middle, columns);
      const expected = row.map((w, j) => {
        let sum = 0;
        left.forEach((b, k) => {
          sum = Math.fround(sum + Math.fround(b * right[k * columns + j]!));
        });
        return Math.fround(w + Math.fround(sum * Math.fround(scale)));
      });
      expect(floats(AREA, columns)).toEqual(expected);
    }),
  );
});
