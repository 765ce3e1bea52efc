// The normal distribution to double precision: density, distribution, quantile and the scaled complementary error
// function. Rational approximations of W. J. Cody (Math. Comp. 23, 1969) and M. J. Wichura (AS 241, 1988); only
// Math.exp, Math.log and Math.sqrt are used.

export const logSqrtTwoPi: number = 0.5 * Math.log(2 * Math.PI);
const sqrtHalfPi = Math.sqrt(Math.PI / 2);

/** exp(x^2) erfc(x) for x >= 0. Written out: acquisitions spend their time here. */
export function erfcx(x: number): number {
  if (x <= 0.46875) {
    const y = x * x;
    const top =
      (((0.18577770618460315 * y + 3.1611237438705655) * y + 113.86415415105016) * y + 377.485237685302) * y +
      3209.3775891384694;
    const bottom =
      (((y + 23.601290952344122) * y + 244.02463793444417) * y + 1282.6165260773723) * y + 2844.236833439171;
    return (1 - (x * top) / bottom) * Math.exp(y);
  }
  if (x <= 4) {
    const top =
      (((((((2.1531153547440383e-8 * x + 0.5641884969886701) * x + 8.883149794388377) * x + 66.11919063714163) * x +
        298.6351381974001) *
        x +
        881.952221241769) *
        x +
        1712.0476126340707) *
        x +
        2051.0783778260716) *
        x +
      1230.3393547979972;
    const bottom =
      (((((((x + 15.744926110709835) * x + 117.6939508913125) * x + 537.1811018620099) * x + 1621.3895745666903) * x +
        3290.7992357334597) *
        x +
        4362.619090143247) *
        x +
        3439.3676741437216) *
        x +
      1230.3393548037495;
    return top / bottom;
  }
  const y = 1 / (x * x);
  const top =
    ((((0.016315387137302097 * y + 0.30532663496123236) * y + 0.36034489994980445) * y + 0.12578172611122926) * y +
      0.016083785148742275) *
      y +
    0.0006587491615298378;
  const bottom =
    ((((y + 2.568520192289822) * y + 1.8729528499234673) * y + 0.5279051029514285) * y + 0.06051834131244132) * y +
    0.0023352049762686918;
  return (0.5641895835477563 - (y * top) / bottom) / x;
}

export function normalDensity(z: number): number {
  return Math.exp(-0.5 * z * z - logSqrtTwoPi);
}

export function normalDistribution(z: number): number {
  const tail = 0.5 * erfcx(Math.abs(z) / Math.SQRT2) * Math.exp(-0.5 * z * z);
  return z < 0 ? tail : 1 - tail;
}

/** Phi(z) / phi(z) for z <= 0: stays finite where both underflow. */
export function millsRatio(z: number): number {
  return sqrtHalfPi * erfcx(-z / Math.SQRT2);
}

/** log Phi(z), finite for every finite z. */
export function logNormalDistribution(z: number): number {
  return z < -1 ? Math.log(millsRatio(z)) - 0.5 * z * z - logSqrtTwoPi : Math.log(normalDistribution(z));
}

/** phi(z) / Phi(z), the derivative of log Phi. */
export function normalHazard(z: number): number {
  return z < -1 ? 1 / millsRatio(z) : normalDensity(z) / normalDistribution(z);
}

/** The z with Phi(z) = p, for 0 < p < 1. */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * rational(0.180625 - q * q, quantileCentre[0], quantileCentre[1]);
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
  const z =
    r <= 5
      ? rational(r - 1.6, quantileMiddle[0], quantileMiddle[1])
      : rational(r - 5, quantileTail[0], quantileTail[1]);
  return q < 0 ? -z : z;
}

/** Quotient of two polynomials, coefficients from the highest power down. */
function rational(x: number, numerator: readonly number[], denominator: readonly number[]): number {
  let top = 0;
  for (const coefficient of numerator) top = top * x + coefficient;
  let bottom = 0;
  for (const coefficient of denominator) bottom = bottom * x + coefficient;
  return top / bottom;
}

const quantileCentre = [
  [
    2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946, 1971.5909503065513,
    133.14166789178438, 3.3871328727963665,
  ],
  [
    5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751, 687.1870074920579,
    42.31333070160091, 1,
  ],
] as const;
const quantileMiddle = [
  [
    0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045,
    5.769497221460691, 4.630337846156546, 1.4234371107496835,
  ],
  [
    1.0507500716444169e-9, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851,
    1.6763848301838038, 2.053191626637759, 1,
  ],
] as const;
const quantileTail = [
  [
    2.0103343992922881e-7, 2.7115555687434876e-5, 0.0012426609473880784, 0.026532189526576124, 0.29656057182850487,
    1.7848265399172913, 5.463784911164114, 6.657904643501103,
  ],
  [
    2.0442631033899397e-15, 1.421511758316446e-7, 1.8463183175100548e-5, 0.0007868691311456133, 0.014875361290850615,
    0.1369298809227358, 0.599832206555888, 1,
  ],
] as const;
