// Yeo and Johnson's power transform of standardised scores (Biometrika 87(4), 2000): monotone, smooth, defined on all
// reals. Scores of which most are mediocre and a few dreadful become nearly normal, which is what a Gaussian process
// assumes. Powers are kept in [0, 2], where the inverse is defined on all reals too; 1 is the identity.

const lowestPower = 0;
const highestPower = 2;
/** Powers within this of 0 (or of 2, for negative values) take the logarithm, their limit. */
const limitWidth = 1e-8;

export function yeoJohnson(z: number, power: number): number {
  return z >= 0 ? boxCox(z, power) : -boxCox(-z, 2 - power);
}

/** d yeoJohnson / d z > 0 */
export function yeoJohnsonSlope(z: number, power: number): number {
  return Math.exp((power - 1) * Math.sign(z) * Math.log1p(Math.abs(z)));
}

export function yeoJohnsonInverse(t: number, power: number): number {
  return t >= 0 ? boxCoxInverse(t, power) : -boxCoxInverse(-t, 2 - power);
}

/** ((1 + a)^power - 1) / power for a >= 0 */
function boxCox(a: number, power: number): number {
  return power < limitWidth ? Math.log1p(a) : Math.expm1(power * Math.log1p(a)) / power;
}

function boxCoxInverse(b: number, power: number): number {
  return power < limitWidth ? Math.expm1(b) : Math.expm1(Math.log1p(power * b) / power);
}

/** The power under which `values` are most nearly normal: maximum likelihood, by golden section. */
export function normalisingPower(values: Float64Array): number {
  const n = values.length;
  const logSlope = values.reduce((sum, z) => sum + Math.sign(z) * Math.log1p(Math.abs(z)), 0);
  const logLikelihood = (power: number): number => {
    const warped = values.map((z) => yeoJohnson(z, power));
    const mean = warped.reduce((sum, t) => sum + t, 0) / n;
    const variance = warped.reduce((sum, t) => sum + (t - mean) ** 2, 0) / n;
    return -0.5 * n * Math.log(variance) + (power - 1) * logSlope;
  };
  const ratio = (Math.sqrt(5) - 1) / 2;
  let low = lowestPower;
  let high = highestPower;
  for (let step = 0; step < 24; step++) {
    const [left, right] = [high - ratio * (high - low), low + ratio * (high - low)];
    if (logLikelihood(left) > logLikelihood(right)) high = right;
    else low = left;
  }
  return (low + high) / 2;
}
