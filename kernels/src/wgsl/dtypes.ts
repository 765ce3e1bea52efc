// Elements of any float dtype to and from float32 bits in WGSL: exact when widening (float64 rounds once), one rounding to
// nearest even when narrowing. What is not finite, or not normal in float32, raises `doubt`.
import { type FloatDType, SMALL_FLOATS, type SmallFloat } from "../dtype.ts";

/** Declares \`decode_X(at, e)\`: the value of element e of the tensor whose first word in the arena is \`at\`. */
export function decoder(dtype: FloatDType): string {
  const name = `fn decode_${dtype}(at: u32, e: u32) -> u32`;
  switch (dtype) {
    case "F32":
      return `${name} { let x = arena[at + e]; doubtIf(isSpecial(x) & !isZero(x)); return x; }`;
    case "F64":
      return /* wgsl */ `${name} {
  let low = arena[at + 2u * e];
  let high = arena[at + 2u * e + 1u];
  let sign = high & 0x80000000u;
  if (magnitude(high) == 0u && low == 0u) { return sign; }
  let exponent = i32(magnitude(high) >> 20u) - 896;
  let rest = low & 0x1fffffffu;
  let mantissa = ((high & 0xfffffu) << 3u) | (low >> 29u);
  let up = (rest > 0x10000000u) | ((rest == 0x10000000u) & ((mantissa & 1u) == 1u));
  let result = ((u32(max(exponent, 0)) << 23u) | mantissa) + select(0u, 1u, up);
  doubtIf((exponent < 1) | (exponent > 254) | isSpecial(result));
  return sign | result;
}`;
    case "BF16":
      return /* wgsl */ `${name} {
  let x = (arena[at + (e >> 1u)] >> (16u * (e & 1u))) << 16u;
  doubtIf(isSpecial(x) & !isZero(x));
  return x;
}`;
    default:
      return smallDecoder(name, SMALL_FLOATS[dtype]);
  }
}

function smallDecoder(declaration: string, { bits, mantissaBits, bias, maxFinite }: SmallFloat): string {
  const perWord = 32 / bits;
  const steps = bias - 1 + mantissaBits;
  return /* wgsl */ `${declaration} {
  let code = (arena[at + e / ${perWord}u] >> (${bits}u * (e % ${perWord}u))) & ${2 ** bits - 1}u;
  let m = code & ${2 ** (bits - 1) - 1}u;
  let sign = (code >> ${bits - 1}u) << 31u;
  doubtIf(m > ${maxFinite}u);
  let normal = (m << ${23 - mantissaBits}u) + ${(127 - bias) * 2 ** 23}u;
  return sign | select(normal, bitcast<u32>(f32(m) * 0x1p-${steps}f), m < ${2 ** mantissaBits}u);
}`;
}

/** Declares \`store(first, x)\`: rounds the four values to the dtype and writes them from element \`first\`, a multiple of 4, on. */
export function storer(dtype: FloatDType): string {
  const declaration = "fn store(first: u32, x: array<u32, 4>)";
  switch (dtype) {
    case "F32":
      return /* wgsl */ `${declaration} {
  for (var i = 0u; i < 4u; i++) {
    doubtIf(isSpecial(x[i]) & !isZero(x[i]));
    merged[first + i] = x[i];
  }
}`;
    case "F64":
      return /* wgsl */ `${declaration} {
  for (var i = 0u; i < 4u; i++) {
    doubtIf(isSpecial(x[i]) & !isZero(x[i]));
    let m = magnitude(x[i]);
    let sign = x[i] & 0x80000000u;
    merged[2u * (first + i)] = select(m << 29u, 0u, m == 0u);
    merged[2u * (first + i) + 1u] = sign | select((m >> 3u) + ${896 * 2 ** 20}u, 0u, m == 0u);
  }
}`;
    case "BF16":
      return /* wgsl */ `fn encode(x: u32) -> u32 {
  doubtIf(magnitude(x) >= 0x7f7f8000u);
  return (x + 0x7fffu + ((x >> 16u) & 1u)) >> 16u;
}
${storePairs(declaration)}`;
    default:
      return `${smallEncoder(SMALL_FLOATS[dtype])}\n${dtype === "F16" ? storePairs(declaration) : storeQuads(declaration)}`;
  }
}

function smallEncoder({ bits, mantissaBits, bias, overflowFrom }: SmallFloat): string {
  const dropped = 23 - mantissaBits;
  // Adding a number whose last place is the smallest subnormal rounds there.
  const magic = 2 ** (1 - bias - mantissaBits + 23);
  const rebias = (bias - 127) * 2 ** 23 + 2 ** (dropped - 1) - 1;
  return /* wgsl */ `fn encode(x: u32) -> u32 {
  let m = magnitude(x);
  doubtIf(m >= ${overflowFrom}u);
  let sign = (x >> 31u) << ${bits - 1}u;
  let magic = bitcast<u32>(f32(${magic})) ^ zero;
  let subnormal = (bitcast<u32>(bitcast<f32>(m) + bitcast<f32>(magic)) ^ zero) - magic;
  let normal = (m + ((m >> ${dropped}u) & 1u) + ${rebias >>> 0}u) >> ${dropped}u;
  return sign | select(normal, subnormal, m < ${(127 + 1 - bias) * 2 ** 23}u);
}`;
}

const storePairs = (declaration: string): string => /* wgsl */ `${declaration} {
  merged[first / 2u] = encode(x[0]) | (encode(x[1]) << 16u);
  merged[first / 2u + 1u] = encode(x[2]) | (encode(x[3]) << 16u);
}`;

const storeQuads = (declaration: string): string => /* wgsl */ `${declaration} {
  merged[first / 4u] = encode(x[0]) | (encode(x[1]) << 8u) | (encode(x[2]) << 16u) | (encode(x[3]) << 24u);
}`;
