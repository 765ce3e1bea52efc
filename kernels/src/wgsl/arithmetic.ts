// float32 arithmetic in WGSL with the bits of IEEE 754, whatever the driver does. WGSL lets an implementation fuse operations,
// divide and take roots inexactly, flush subnormals and assume that there are no infinities. Here:
// * values travel as u32 bits, and each result is combined with a zero the compiler cannot know: nothing can be fused or folded;
// * quotients and roots start from the driver's own and are corrected by their exact remainders, in integers;
// * comparisons, signs and selections are integer operations;
// * a sum or product that is not a normal number, and not an exact zero, raises `doubt`: the host then merges the window itself.
//   So does whatever looks at a NaN. A division by zero alone does not: methods do it and select another value.
// What is left to the driver is the sum, product and floor of normal numbers, which all hardware rounds to nearest even.

/** Units in the last place by which a quotient or root of the driver may be wrong; WGSL allows it three. More raises `doubt`. */
const CORRECTIONS = 3;

export const ARITHMETIC: string = /* wgsl */ `
var<private> zero: u32;
var<private> doubt: bool;

fn magnitude(x: u32) -> u32 { return x & 0x7fffffffu; }
fn isZero(x: u32) -> bool { return magnitude(x) == 0u; }
// Zero, subnormal, infinite or NaN.
fn isSpecial(x: u32) -> bool { return magnitude(x) - 0x00800000u >= 0x7f000000u; }
fn doubtIf(condition: bool) { doubt = doubt | condition; }

fn opAdd(a: u32, b: u32) -> u32 {
  let r = bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b)) ^ zero;
  doubtIf(isSpecial(r) & !(isZero(r) & (((a ^ b) == 0x80000000u) | isZero(a | b))));
  return r;
}
fn opSub(a: u32, b: u32) -> u32 { return opAdd(a, b ^ 0x80000000u); }
fn opMul(a: u32, b: u32) -> u32 {
  let r = bitcast<u32>(bitcast<f32>(a) * bitcast<f32>(b)) ^ zero;
  doubtIf(isSpecial(r) & !(isZero(r) & (isZero(a) | isZero(b))));
  return r;
}
fn opDiv(a: u32, b: u32) -> u32 {
  let sign = (a ^ b) & 0x80000000u;
  let ordinary = !(isZero(a) | isZero(b));
  var ma = (a & 0x007fffffu) | 0x00800000u;
  let mb = (b & 0x007fffffu) | 0x00800000u;
  var e = i32(magnitude(a) >> 23u) - i32(magnitude(b) >> 23u) + 127;
  let less = ma < mb;
  ma = select(ma, ma << 1u, less);
  e = e - select(0, 1, less);
  // 2^23 ma / mb lies in [2^23, 2^24). The remainder is small: modulo 2^32 it is exact.
  var q = u32(f32(ma) / f32(mb) * 0x1p23f);
  var r = bitcast<i32>((ma << 23u) - q * mb);
  let d = i32(mb);
${"  { let step = select(select(0, 1, r >= d), -1, r < 0); q = q + bitcast<u32>(step); r = r - step * d; }\n".repeat(CORRECTIONS)}  q = q + select(0u, 1u, (2 * r > d) | ((2 * r == d) & ((q & 1u) == 1u)));
  let result = (u32(max(e, 0)) << 23u) + (q - 0x00800000u);
  let special = isSpecial(a) | isSpecial(b) | isSpecial(result) | (e < 1) | (e > 254) | (r < 0) | (r >= d);
  doubtIf(ordinary & special);
  let byZero = select(0x7f800000u, 0x7fc00000u, isZero(a));
  return sign | select(select(0u, byZero, isZero(b)), result, ordinary);
}
fn opSqrt(a: u32) -> u32 {
  var m = (a & 0x007fffffu) | 0x00800000u;
  var e = i32(a >> 23u) - 127;
  let odd = e & 1;
  m = m << u32(odd);
  e = e - odd;
  // The whole root of 2^23 m lies in [2^23, 2^24).
  var s = u32(sqrt(f32(m) * 0x1p23f));
  var r = bitcast<i32>((m << 23u) - s * s);
${"  { let up = r > i32(2u * s); let down = r < 0; r = r - select(0, i32(2u * s + 1u), up) + select(0, i32(2u * s - 1u), down); s = s + select(0u, 1u, up) - select(0u, 1u, down); }\n".repeat(CORRECTIONS)}  doubtIf(!isZero(a) & (isSpecial(a) | (a >= 0x80000000u) | (r < 0) | (r > i32(2u * s))));
  s = s + select(0u, 1u, r > i32(s));
  return select((u32(e / 2 + 127) << 23u) + (s - 0x00800000u), a, isZero(a));
}
fn opFloor(a: u32) -> u32 {
  doubtIf(isSpecial(a) & !isZero(a));
  return select(bitcast<u32>(floor(bitcast<f32>(a))) ^ zero, a, isZero(a));
}
fn opAbs(a: u32) -> u32 { return magnitude(a); }
fn opNeg(a: u32) -> u32 { return a ^ 0x80000000u; }

// Integers in the order of the numbers; both zeros are 0.
fn key(x: u32) -> i32 {
  doubtIf(magnitude(x) > 0x7f800000u);
  return select(i32(magnitude(x)), -i32(magnitude(x)), x >= 0x80000000u);
}
fn opEq(a: u32, b: u32) -> bool { return key(a) == key(b); }
fn opNe(a: u32, b: u32) -> bool { return key(a) != key(b); }
fn opLt(a: u32, b: u32) -> bool { return key(a) < key(b); }
fn opLe(a: u32, b: u32) -> bool { return key(a) <= key(b); }
fn opGt(a: u32, b: u32) -> bool { return key(a) > key(b); }
fn opGe(a: u32, b: u32) -> bool { return key(a) >= key(b); }
fn opMin(a: u32, b: u32) -> u32 { return select(a, b, key(b) < key(a)); }
fn opMax(a: u32, b: u32) -> u32 { return select(a, b, key(a) < key(b)); }

fn opPowerOfTwo(n: u32) -> u32 {
  let limited = opMax(opMin(n, bitcast<u32>(127f)), bitcast<u32>(-126f));
  return u32(i32(bitcast<f32>(limited)) + 127) << 23u;
}
fn opRoundBF16(x: u32) -> u32 {
  doubtIf(magnitude(x) >= 0x7f7f8000u);
  return (x + 0x7fffu + ((x >> 16u) & 1u)) & 0xffff0000u;
}
fn opRoundF16(x: u32) -> u32 {
  let m = magnitude(x);
  doubtIf(m >= 0x477ff000u);
  let normal = (m + 0xfffu + ((m >> 13u) & 1u)) & 0xffffe000u;
  // Below 2^-14 the places of 1/2 are those of the format's subnormals.
  let half = bitcast<u32>(0.5f) ^ zero;
  let sum = bitcast<u32>(bitcast<f32>(m) + bitcast<f32>(half)) ^ zero;
  let subnormal = bitcast<u32>(bitcast<f32>(sum) - bitcast<f32>(half)) ^ zero;
  return (x & 0x80000000u) | select(normal, subnormal, m < 0x38800000u);
}
fn opExponent(x: u32) -> u32 {
  doubtIf(isSpecial(x) | (x >= 0x80000000u));
  return bitcast<u32>(f32(i32(magnitude(x) >> 23u) - 127));
}
`;
