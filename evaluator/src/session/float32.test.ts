import fc from "fast-check";
import { expect, test } from "vitest";
import { toFloat32 } from "./float32.ts";

function tensor(dtype: string, values: ArrayBufferView, shape: readonly number[]) {
  return { dtype, shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

test("f32 and f16 values come back as they are, f64 rounded to nearest", () => {
  const values = [0, -0, 1.5, -2.25, Number.POSITIVE_INFINITY, 6.103515625e-5, 2 ** -24];
  expect([...toFloat32("w", tensor("F32", Float32Array.from(values), [7]))]).toEqual(values);
  expect([...toFloat32("w", tensor("f16", Float16Array.from(values), [7]))]).toEqual(values);
  expect([...toFloat32("w", tensor("F64", Float64Array.from([...values, 0.1]), [8]))]).toEqual([
    ...values,
    Math.fround(0.1),
  ]);
});

test("bf16 is the upper half of an f32", () => {
  const property = fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), (bits) => {
    const source = Uint16Array.from(bits);
    const converted = toFloat32("w", tensor("BF16", source, [bits.length]));
    expect([...new Uint32Array(converted.buffer)]).toEqual(bits.map((half) => half * 65536));
  });
  fc.assert(property);
});

test("f8_e4m3 has the values of its paper: 448 at most, NaN but no infinity, denormals of 2^-9", () => {
  const bytes = Uint8Array.from([0x00, 0x80, 0x01, 0x07, 0x08, 0x38, 0x7e, 0xfe, 0x7f, 0xff]);
  const expected = [0, -0, 2 ** -9, 7 * 2 ** -9, 2 ** -6, 1, 448, -448, Number.NaN, Number.NaN];
  expect([...toFloat32("w", tensor("F8_E4M3", bytes, [10]))]).toEqual(expected);
});

test("f8_e5m2 has the values of its paper: 57344 at most, then infinity", () => {
  const bytes = Uint8Array.from([0x01, 0x3c, 0x7b, 0x7c, 0xfc]);
  const expected = [2 ** -16, 1, 57344, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  expect([...toFloat32("w", tensor("F8_E5M2", bytes, [5]))]).toEqual(expected);
});

test("bytes at an odd offset are read all the same, and never kept", () => {
  const padded = new Uint8Array(9);
  padded.set(new Uint8Array(Float32Array.from([1.25, -3]).buffer), 1);
  const converted = toFloat32("w", { dtype: "F32", shape: [2], bytes: padded.subarray(1) });
  padded.fill(0);
  expect([...converted]).toEqual([1.25, -3]);
});

test("bytes that do not fill the shape are refused with the sizes", () => {
  expect(() => toFloat32("classifier.bias", tensor("F16", new Uint8Array(6), [2]))).toThrow(
    "tensor classifier.bias: 6 bytes do not fill F16 [2] (4 bytes)",
  );
});
