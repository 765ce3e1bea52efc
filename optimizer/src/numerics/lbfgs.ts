// Bounded limited-memory BFGS: projected quasi-Newton steps on the free variables with Armijo backtracking
// (Nocedal and Wright 2006, algorithms 7.4 and 16.5 in spirit; not the full Cauchy-point L-BFGS-B). Minimises.

export interface LbfgsOptions {
  readonly maxIterations: number;
  /** Stop when no projected gradient component exceeds this. */
  readonly gradientTolerance: number;
  /** Stop when a step lowers f by less than this times 1 + |f|. */
  readonly valueTolerance: number;
}

export interface LbfgsResult {
  readonly x: Float64Array;
  readonly value: number;
  readonly evaluations: number;
}

/** Returns f(x) and writes its gradient into `gradient`. Non-finite values are treated as "too far". */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

const memory = 8;
const sufficientDecrease = 1e-4;
const maxBacktracks = 16;

/** Minimises f over low <= x <= high from `start` (projected into the box first). Never leaves the box. */
export function minimise(
  f: Objective,
  start: ArrayLike<number>,
  low: ArrayLike<number>,
  high: ArrayLike<number>,
  options: LbfgsOptions,
): LbfgsResult {
  const n = start.length;
  const clamp = (value: number, k: number): number => Math.min(high[k]!, Math.max(low[k]!, value));
  let x = Float64Array.from(start, clamp);
  let gradient = new Float64Array(n);
  let value = f(x, gradient);
  let evaluations = 1;
  const pairs: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  const free = new Uint8Array(n);

  for (let iteration = 0; iteration < options.maxIterations; iteration++) {
    let projected = 0;
    for (let k = 0; k < n; k++) {
      projected = Math.max(projected, Math.abs(clamp(x[k]! - gradient[k]!, k) - x[k]!));
      free[k] = (x[k]! <= low[k]! && gradient[k]! > 0) || (x[k]! >= high[k]! && gradient[k]! < 0) ? 0 : 1;
    }
    if (!(projected > options.gradientTolerance)) break;

    let direction = twoLoop(gradient, free, pairs);
    if (!(innerProduct(direction, gradient) < 0)) {
      pairs.length = 0;
      direction = twoLoop(gradient, free, pairs);
    }
    const step = backtrack(f, x, value, gradient, direction, clamp);
    evaluations += step.evaluations;
    if (step.x === undefined) break;

    const s = new Float64Array(n);
    const y = new Float64Array(n);
    for (let k = 0; k < n; k++) {
      s[k] = step.x[k]! - x[k]!;
      y[k] = step.gradient[k]! - gradient[k]!;
    }
    const curvature = innerProduct(s, y);
    if (curvature > 1e-10 * innerProduct(y, y)) {
      pairs.push({ s, y, rho: 1 / curvature });
      if (pairs.length > memory) pairs.shift();
    }
    const decrease = value - step.value;
    x = step.x;
    gradient = step.gradient;
    value = step.value;
    if (decrease < options.valueTolerance * (1 + Math.abs(value))) break;
  }
  return { x, value, evaluations };
}

interface Step {
  readonly x: Float64Array<ArrayBuffer> | undefined;
  readonly gradient: Float64Array<ArrayBuffer>;
  readonly value: number;
  readonly evaluations: number;
}

/** Armijo line search along the projected path; `x` is undefined when no step decreases f. */
function backtrack(
  f: Objective,
  x: Float64Array,
  value: number,
  gradient: Float64Array,
  direction: Float64Array,
  clamp: (value: number, k: number) => number,
): Step {
  const n = x.length;
  const nextGradient = new Float64Array(n);
  let length = 1;
  for (let trial = 1; trial <= maxBacktracks; trial++) {
    const next = new Float64Array(n);
    let slope = 0;
    for (let k = 0; k < n; k++) {
      next[k] = clamp(x[k]! + length * direction[k]!, k);
      slope += gradient[k]! * (next[k]! - x[k]!);
    }
    if (!(slope < 0)) return { x: undefined, gradient: nextGradient, value, evaluations: trial - 1 };
    const nextValue = f(next, nextGradient);
    if (Number.isFinite(nextValue) && nextValue <= value + sufficientDecrease * slope) {
      return { x: next, gradient: nextGradient, value: nextValue, evaluations: trial };
    }
    length *= trial <= 2 ? 0.5 : 0.25;
  }
  return { x: undefined, gradient: nextGradient, value, evaluations: maxBacktracks };
}

/** Descent direction -H g restricted to the free variables (two-loop recursion). */
function twoLoop(
  gradient: Float64Array,
  free: Uint8Array,
  pairs: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = Float64Array.from(gradient, (g, k) => (free[k] ? g : 0));
  const masked = (a: Float64Array): number => {
    let sum = 0;
    for (let k = 0; k < q.length; k++) if (free[k]) sum += a[k]! * q[k]!;
    return sum;
  };
  const add = (a: Float64Array, factor: number): void => {
    for (let k = 0; k < q.length; k++) if (free[k]) q[k]! += factor * a[k]!;
  };
  const alphas: number[] = [];
  for (let p = pairs.length - 1; p >= 0; p--) {
    const alpha = pairs[p]!.rho * masked(pairs[p]!.s);
    alphas[p] = alpha;
    add(pairs[p]!.y, -alpha);
  }
  const last = pairs.at(-1);
  const scale = last === undefined ? firstStepScale(q) : 1 / (last.rho * innerProduct(last.y, last.y));
  for (let k = 0; k < q.length; k++) q[k]! *= scale;
  for (const [p, pair] of pairs.entries()) add(pair.s, alphas[p]! - pair.rho * masked(pair.y));
  for (let k = 0; k < q.length; k++) q[k] = -q[k]!;
  return q;
}

/** Without curvature yet: move no coordinate by more than 0.1. */
function firstStepScale(gradient: Float64Array): number {
  let largest = 0;
  for (const g of gradient) largest = Math.max(largest, Math.abs(g));
  return largest > 0 ? Math.min(1, 0.1 / largest) : 1;
}

function innerProduct(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
}
