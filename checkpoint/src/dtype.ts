// Element types of safetensors (https://github.com/huggingface/safetensors, `Dtype` in tensor.rs): names, sizes, kinds.
// Arithmetic on them lives in the kernels; decoding for reports in decode.ts.

const dtypes = {
  F64: { bytes: 8, kind: "float" },
  F32: { bytes: 4, kind: "float" },
  F16: { bytes: 2, kind: "float" },
  BF16: { bytes: 2, kind: "float" },
  F8_E4M3: { bytes: 1, kind: "float" },
  F8_E5M2: { bytes: 1, kind: "float" },
  F8_E8M0: { bytes: 1, kind: "float" },
  I64: { bytes: 8, kind: "integer" },
  I32: { bytes: 4, kind: "integer" },
  I16: { bytes: 2, kind: "integer" },
  I8: { bytes: 1, kind: "integer" },
  U64: { bytes: 8, kind: "integer" },
  U32: { bytes: 4, kind: "integer" },
  U16: { bytes: 2, kind: "integer" },
  U8: { bytes: 1, kind: "integer" },
  BOOL: { bytes: 1, kind: "bool" },
} as const;

/** A dtype this package reads and writes, by its safetensors name. */
export type DType = keyof typeof dtypes;

/** Numbers merge with floats only; integers and booleans are copied. */
export type DTypeKind = "float" | "integer" | "bool";

export const allDTypes: readonly DType[] = Object.keys(dtypes) as DType[];

const refused: Record<string, string> = {
  F4: "4-bit elements do not fill whole bytes",
  F6_E2M3: "6-bit elements do not fill whole bytes",
  F6_E3M2: "6-bit elements do not fill whole bytes",
  F8_E4M3FNUZ: "the FNUZ variant of 8-bit floats is not supported",
  F8_E5M2FNUZ: "the FNUZ variant of 8-bit floats is not supported",
  C64: "complex numbers are not supported",
};

const torchNames: Record<string, DType> = {
  float64: "F64",
  double: "F64",
  float32: "F32",
  float: "F32",
  float16: "F16",
  half: "F16",
  bfloat16: "BF16",
  float8_e4m3fn: "F8_E4M3",
  float8_e5m2: "F8_E5M2",
  float8_e8m0fnu: "F8_E8M0",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint64: "U64",
  uint32: "U32",
  uint16: "U16",
  uint8: "U8",
  bool: "BOOL",
};

const torchNameOf = new Map<DType, string>();
for (const [name, dtype] of Object.entries(torchNames)) if (!torchNameOf.has(dtype)) torchNameOf.set(dtype, name);
torchNameOf.set("F64", "float64").set("F32", "float32").set("F16", "float16");

export function isDType(name: string): name is DType {
  return Object.hasOwn(dtypes, name);
}

/** Why a dtype that safetensors knows is not read here, or undefined when the name means nothing to us. */
export function refusedDTypeReason(name: string): string | undefined {
  return Object.hasOwn(refused, name) ? refused[name] : undefined;
}

/** Size of one element in bytes. */
export function dtypeBytes(dtype: DType): number {
  return dtypes[dtype].bytes;
}

export function dtypeKind(dtype: DType): DTypeKind {
  return dtypes[dtype].kind;
}

export function isFloat(dtype: DType): boolean {
  return dtypes[dtype].kind === "float";
}

/**
 * The dtype a person means: a safetensors name (`BF16`), or a torch name as recipes and `config.json` write it
 * (`bfloat16`, `torch.float16`). Undefined when it is neither.
 */
export function parseDTypeName(name: string): DType | undefined {
  if (isDType(name)) return name;
  const torchName = name.startsWith("torch.") ? name.slice("torch.".length) : name;
  return Object.hasOwn(torchNames, torchName) ? torchNames[torchName] : undefined;
}

/** The torch name of a dtype (`BF16` -> `bfloat16`), as `config.json` spells `torch_dtype`. */
export function torchDTypeName(dtype: DType): string {
  return torchNameOf.get(dtype)!;
}

/** Number of elements of a shape; rank 0 is one element. The shape must have passed {@link tensorBytes}. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

/**
 * Size of a tensor in bytes, or undefined when its nonzero dimensions multiply past 2^53 - 1 bytes (a zero elsewhere does not
 * excuse them: code downstream multiplies in another order). Every dimension must be a whole number.
 */
export function tensorBytes(dtype: DType, shape: readonly number[]): number | undefined {
  let bytes = dtypeBytes(dtype);
  for (const dimension of shape) if (dimension !== 0) bytes *= dimension;
  // Each factor is at least 1, so a product within 2^53 was never rounded on the way.
  if (bytes > Number.MAX_SAFE_INTEGER) return undefined;
  return shape.includes(0) ? 0 : bytes;
}
