// The dtypes a kernel reads and writes, by their safetensors names, with the layout of small floats. Plain conversions are in
// convert.ts; the fast ones in wasm/lanes.ts are tested against them.

export type FloatDType = "F64" | "F32" | "F16" | "BF16" | "F8_E4M3" | "F8_E5M2";
/** U8 is for masks, eight to an element: whole numbers from 0 to 255. */
export type DTypeName = FloatDType | "U8";

/** The dtypes in which mergekit computes. */
export type WorkingDType = "F32" | "BF16" | "F16";
export const isWorkingDType = (name: string): name is WorkingDType =>
  name === "F32" || name === "BF16" || name === "F16";

/** A float narrower than 32 bits, in sign-magnitude encoding. */
export interface SmallFloat {
  readonly bits: 8 | 16;
  readonly mantissaBits: number;
  readonly bias: number;
  /** Largest finite magnitude's encoding. */
  readonly maxFinite: number;
  /** Encoding that overflow rounds to: infinity, or NaN where the format has none (E4M3). */
  readonly overflow: number;
  readonly nan: number;
  /** The smallest float32 magnitude that rounds to `overflow` under round-to-nearest-even, as float32 bits. */
  readonly overflowFrom: number;
}

export const SMALL_FLOATS: { readonly [name in "F16" | "F8_E4M3" | "F8_E5M2"]: SmallFloat } = {
  F16: {
    bits: 16,
    mantissaBits: 10,
    bias: 15,
    maxFinite: 0x7bff,
    overflow: 0x7c00,
    nan: 0x7e00,
    overflowFrom: 0x477ff000, // 65520
  },
  F8_E4M3: {
    bits: 8,
    mantissaBits: 3,
    bias: 7,
    maxFinite: 0x7e,
    overflow: 0x7f,
    nan: 0x7f,
    overflowFrom: 0x43e80001, // just above 464: 464 itself is a tie and goes to the even 448
  },
  F8_E5M2: {
    bits: 8,
    mantissaBits: 2,
    bias: 15,
    maxFinite: 0x7b,
    overflow: 0x7c,
    nan: 0x7e,
    overflowFrom: 0x47700000, // 61440
  },
};

const FLOAT_BYTES: { readonly [name in FloatDType]: number } = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
};

/** The floating dtypes kernels merge; anything else is copied by the planner. */
export const FLOAT_DTYPES: readonly FloatDType[] = Object.keys(FLOAT_BYTES) as FloatDType[];

export const isFloatDType = (name: string): name is FloatDType => Object.hasOwn(FLOAT_BYTES, name);

/** What a program can read or write: floats, and masks. */
export const isProgramDType = (name: string): name is DTypeName => isFloatDType(name) || name === "U8";

/** Bytes of one element. */
export const dtypeBytes = (dtype: DTypeName): number => (dtype === "U8" ? 1 : FLOAT_BYTES[dtype]);
