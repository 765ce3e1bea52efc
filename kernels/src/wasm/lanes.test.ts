// Conversions between dtypes, exhaustively where the dtype is small: all codes in, and for storing
// every representable value, every midpoint between neighbours, and the float32 on either side.
import { describe, expect, test } from "vitest";
import { decodeElements, encodeElements } from "../convert.ts";
import type { DTypeName } from "../dtype.ts";
import { METHODS } from "../methods/index.ts";
import { merged, programFor } from "../testing/models.ts";
import { FLAG_OUTPUT_NOT_FINITE } from "../types.ts";

const linear = METHODS["linear"]!;

/** Copies elements through a kernel: one model with weight 1. */
function through(
  bytes: Uint8Array,
  elements: number,
  from: DTypeName,
  to: DTypeName,
): { bytes: Uint8Array; flags: number } {
  const program = programFor(linear, 1, [from], { normalize: false }, to);
  return merged(program, [{ inputs: [bytes], elements, scalars: { "weight[0]": 1 } }])[0]!;
}

function allCodes(dtype: DTypeName): Uint8Array {
  const small = dtype.startsWith("F8");
  const codes = Array.from({ length: small ? 256 : 65_536 }, (_, i) => i);
  return small ? Uint8Array.from(codes) : new Uint8Array(Uint16Array.from(codes).buffer);
}

/** All finite values of the dtype in order, with midpoints and their float32 neighbours between them. */
function hardValues(dtype: DTypeName): Float32Array {
  const finite = [...new Set(decodeElements(allCodes(dtype), dtype).filter(Number.isFinite))].sort((a, b) => a - b);
  const largest = finite.at(-1)!;
  const beyond = largest + (largest - finite.at(-2)!);
  const values = [-beyond, ...finite, beyond];
  const bits = new Int32Array(1);
  const float = new Float32Array(bits.buffer);
  const around = (x: number): number[] => {
    float[0] = x;
    const at = bits[0]!;
    return [-1, 0, 1].map((step) => {
      bits[0] = at + step;
      return float[0]!;
    });
  };
  return Float32Array.from(values.flatMap((v, i) => [v, ...around((v + (values[i + 1] ?? v)) / 2)]));
}

const firstDifference = (a: Uint8Array | Float64Array, b: Uint8Array | Float64Array): number =>
  a.length === b.length ? a.findIndex((x, i) => !Object.is(x, b[i])) : Infinity;

const NARROW: readonly DTypeName[] = ["F16", "BF16", "F8_E4M3", "F8_E5M2"];

describe.each(NARROW)("%s", (dtype) => {
  test("every code is read as its value", () => {
    const codes = allCodes(dtype);
    const expected = decodeElements(codes, dtype);
    const { bytes } = through(codes, expected.length, dtype, "F32");
    expect(firstDifference(decodeElements(bytes, "F32"), expected)).toBe(-1);
  });

  test("float32 values are stored as the reference conversion stores them", () => {
    const values = hardValues(dtype);
    const { bytes } = through(new Uint8Array(values.buffer), values.length, "F32", dtype);
    expect(firstDifference(bytes, encodeElements(values, dtype))).toBe(-1);
  });

  test("the reference conversion takes the nearest value, and the even one of two equally near", () => {
    const codes = allCodes(dtype);
    const table = [...decodeElements(codes, dtype)]
      .flatMap((value, code) => (Number.isFinite(value) && !Object.is(value, -0) ? [{ value, code }] : []))
      .sort((a, b) => a.value - b.value);
    const inside = hardValues(dtype)
      .filter((v) => Math.abs(v) <= table.at(-1)!.value)
      .sort();
    const stored = decodeElements(encodeElements(inside, dtype), dtype);
    let at = 0;
    const wrong = inside.filter((v, i) => {
      while (table[at + 1] && table[at + 1]!.value <= v) at++;
      const [below, above] = [table[at]!, table[at + 1] ?? table[at]!];
      const nearer = v - below.value - (above.value - v);
      return stored[i] !== (nearer < 0 || (nearer === 0 && below.code % 2 === 0) ? below : above).value;
    });
    expect(wrong).toEqual(new Float32Array(0));
  });

  test("NaN stays NaN whatever its payload", () => {
    const payloads = Uint32Array.of(0x7f800001, 0x7f808000, 0x7fbfffff, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff);
    const { bytes, flags } = through(new Uint8Array(payloads.buffer), payloads.length, "F32", dtype);
    expect(decodeElements(bytes, dtype).every(Number.isNaN)).toBe(true);
    expect(flags & FLAG_OUTPUT_NOT_FINITE).toBe(FLAG_OUTPUT_NOT_FINITE);
  });

  test("a value that becomes infinite or NaN by rounding raises the output flag, the largest that does not raises none", () => {
    const values = hardValues(dtype)
      .filter((v) => v > 0)
      .slice(-8);
    const finite = values.map((v) => (Number.isFinite(decodeElements(encodeElements([v], dtype), dtype)[0]) ? 1 : 0));
    const unflagged = values.map((v) => (through(encodeElements([v], "F32"), 1, "F32", dtype).flags ? 0 : 1));
    expect(unflagged).toEqual(finite);
    expect(new Set(unflagged).size).toBe(2);
  });
});

test("float16 agrees with the language's own Float16Array", () => {
  const values = hardValues("F16");
  expect(encodeElements(values, "F16")).toEqual(new Uint8Array(Float16Array.from(values).buffer));
  const codes = allCodes("F16");
  expect(decodeElements(codes, "F16")).toEqual(Float64Array.from(new Float16Array(codes.buffer)));
});

test("every bfloat16 code is copied as it is, NaN as some NaN", () => {
  const codes = allCodes("BF16");
  const values = decodeElements(codes, "BF16");
  const { bytes } = through(codes, values.length, "BF16", "BF16");
  expect(firstDifference(decodeElements(bytes, "BF16"), values)).toBe(-1);
});

test("float64 is rounded to float32 when read and written back exactly", () => {
  const values = Float64Array.of(0.1, -1 / 3, 1e-45, 5e-324, 1e300, -0, Math.PI);
  const { bytes, flags } = through(new Uint8Array(values.buffer), values.length, "F64", "F64");
  expect(decodeElements(bytes, "F64")).toEqual(Float64Array.from(values, Math.fround));
  expect(flags).toBe(3);
});

describe("U8", () => {
  const codes = Uint8Array.from({ length: 256 }, (_, i) => i);
  test("every code is read as its number and stored as itself", () => {
    expect([...decodeElements(through(codes, 256, "U8", "F32").bytes, "F32")]).toEqual([...codes]);
    expect(through(codes, 256, "U8", "U8")).toEqual({ bytes: codes, flags: 0, scalars: expect.anything() });
  });
  test("fractions are cut, and what does not fit is flagged and saturates", () => {
    const store = (x: number) => through(encodeElements([x], "F32"), 1, "F32", "U8");
    expect([0.9, 1, 254.9, 255.5].map((x) => store(x).bytes[0])).toEqual([0, 1, 254, 255]);
    expect(store(255.5).flags).toBe(0);
    for (const x of [256, 4e4, 1e9]) {
      expect(store(x)).toMatchObject({ bytes: Uint8Array.of(255), flags: FLAG_OUTPUT_NOT_FINITE });
      expect(encodeElements([x], "U8")).toEqual(Uint8Array.of(255));
    }
  });
});
