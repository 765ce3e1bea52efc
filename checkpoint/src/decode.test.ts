import { expect, test } from "vitest";
import { decodeToFloat64 } from "./decode.ts";
import { allDTypes, type DType, dtypeBytes, parseDTypeName, torchDTypeName } from "./dtype.ts";

const little = (array: NodeJS.TypedArray) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

test.each<[DType, Uint8Array, number[]]>([
  ["F64", little(Float64Array.of(-0.1, 1e300)), [-0.1, 1e300]],
  ["F32", little(Float32Array.of(0.5, -3)), [0.5, -3]],
  ["F16", little(Float16Array.of(65504, 2 ** -24)), [65504, 2 ** -24]],
  ["BF16", Uint8Array.of(0x80, 0x3f, 0x00, 0xc0, 0x80, 0x7f, 0x01, 0x00), [1, -2, Number.POSITIVE_INFINITY, 2 ** -133]],
  ["F8_E4M3", Uint8Array.of(0x00, 0x01, 0x08, 0x38, 0x7e, 0xfe, 0x7f), [0, 2 ** -9, 2 ** -6, 1, 448, -448, Number.NaN]],
  ["F8_E5M2", Uint8Array.of(0x01, 0x3c, 0x7b, 0xfc, 0x7d), [2 ** -16, 1, 57344, Number.NEGATIVE_INFINITY, Number.NaN]],
  ["F8_E8M0", Uint8Array.of(0x00, 0x7f, 0xfe, 0xff), [2 ** -127, 1, 2 ** 127, Number.NaN]],
  ["I64", little(BigInt64Array.of(-5n, 2n ** 52n)), [-5, 2 ** 52]],
  ["I32", little(Int32Array.of(-7)), [-7]],
  ["I16", little(Int16Array.of(-300)), [-300]],
  ["I8", Uint8Array.of(0xff, 0x7f), [-1, 127]],
  ["U64", little(BigUint64Array.of(5n)), [5]],
  ["U32", little(Uint32Array.of(4294967295)), [4294967295]],
  ["U16", little(Uint16Array.of(65535)), [65535]],
  ["U8", Uint8Array.of(255), [255]],
  ["BOOL", Uint8Array.of(0, 1, 2), [0, 1, 1]],
])("%s is decoded exactly, aligned or not, from ordinary and shared memory", (dtype, bytes, expected) => {
  expect([...decodeToFloat64(bytes, dtype)]).toEqual(expected);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 1), 1);
  shared.set(bytes);
  expect([...decodeToFloat64(shared, dtype, new Float64Array(100))]).toEqual(expected);
});

test("half an element is refused", () => {
  expect(() => decodeToFloat64(new Uint8Array(3), "F16")).toThrow(/not whole F16 elements/);
});

test("every dtype has a size and a torch name that leads back to it", () => {
  for (const dtype of allDTypes) {
    expect([1, 2, 4, 8]).toContain(dtypeBytes(dtype));
    expect(parseDTypeName(torchDTypeName(dtype))).toBe(dtype);
    expect(parseDTypeName(dtype)).toBe(dtype);
  }
  expect(parseDTypeName("torch.bfloat16")).toBe("BF16");
  for (const name of ["", "bf16", "constructor", "F4", "torch.torch.half"])
    expect(parseDTypeName(name)).toBeUndefined();
});
