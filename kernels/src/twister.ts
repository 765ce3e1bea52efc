// MT19937 (Matsumoto and Nishimura 1998), seeded with one integer as NumPy's legacy RandomState and torch's CPU generator are:
// the sequence mergekit draws its masks from. Any place of it is reached by jumping ahead: a window of the state far on is a sum
// over GF(2) of early windows, those where x^n modulo the recurrence's characteristic polynomial has a coefficient (Haramoto et al. 2008).

const N = 624;
const M = 397;
const MATRIX = 0x9908b0df;
const DEGREE = 19_937;
const WORDS = DEGREE >>> 5;
/** Stepping this far costs about what a jump does. */
const STEPS_PER_JUMP = 4_000_000;

/** The next N words of the recurrence, in the place of the N before them. */
function twist(state: Int32Array): void {
  let word = state[0]!;
  for (let i = 0; i < N; i++) {
    const after = state[i === N - 1 ? 0 : i + 1]!;
    const y = (word & 0x80000000) | (after & 0x7fffffff);
    state[i] = state[i < N - M ? i + M : i + M - N]! ^ (y >>> 1) ^ (-(y & 1) & MATRIX);
    word = after;
  }
}

function seeded(seed: number): Int32Array {
  const state = new Int32Array(N);
  state[0] = seed;
  for (let i = 1; i < N; i++) state[i] = Math.imul(state[i - 1]! ^ (state[i - 1]! >>> 30), 1_812_433_253) + i;
  return state;
}

/** A place in the sequence of one seed. Not thread-safe, cheap to make. */
export class Twister {
  private readonly seed: number;
  private readonly state: Int32Array;
  /** Index of the output that `state[0]` gives. */
  private first: number;

  /** At the start of the sequence, or at the place whose `stateAt` is given. */
  constructor(seed: number, state: Int32Array = stateAt(seed, 0), first = 0) {
    this.seed = seed;
    this.state = state;
    this.first = first;
  }

  /** Fills `into` with the numbers of [0, 1), in steps of 2^-24, from the `index`th of the sequence on. */
  fill(index: number, into: Float32Array): void {
    this.seek(index);
    for (let done = 0; done < into.length; ) {
      if (index + done >= this.first + N) {
        twist(this.state);
        this.first += N;
      }
      const from = index + done - this.first;
      const count = Math.min(N - from, into.length - done);
      const { state } = this;
      for (let i = 0; i < count; i++) into[done + i] = (tempered(state[from + i]!) & 0xffffff) * 2 ** -24;
      done += count;
    }
  }

  private seek(index: number): void {
    if (index < this.first || index - this.first > STEPS_PER_JUMP) {
      this.state.set(stateAt(this.seed, index));
      this.first = index;
    }
    for (; index >= this.first + N; this.first += N) twist(this.state);
  }
}

function tempered(word: number): number {
  let y = word;
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >>> 18);
}

/** The N words that give the outputs from `index` on. */
export function stateAt(seed: number, index: number): Int32Array {
  const early = earlyWords(seed);
  const power = powerOfX(index);
  const state = new Int32Array(N);
  for (let i = 0; i < DEGREE; i++) {
    if (!((power[i >>> 5]! >>> (i & 31)) & 1)) continue;
    for (let k = 0; k < N; k++) state[k] = state[k]! ^ early[i + k]!;
  }
  return state;
}

let early: { readonly seed: number; readonly words: Int32Array } | undefined;

/** The first words of the sequence, enough for every window that a jump adds. */
function earlyWords(seed: number): Int32Array {
  if (early?.seed === seed) return early.words;
  const words = new Int32Array(N * Math.ceil((DEGREE + N) / N));
  const state = seeded(seed);
  for (let at = 0; at < words.length; at += N) {
    twist(state);
    words.set(state, at);
  }
  early = { seed, words };
  return words;
}

/** x^n modulo the characteristic polynomial: bit i of word j is the coefficient of x^(32 j + i). */
function powerOfX(n: number): Uint32Array {
  let power: Uint32Array = new Uint32Array(WORDS + 1);
  power[0] = 1;
  for (const bit of n.toString(2)) {
    const square = new Uint32Array(2 * (WORDS + 1));
    for (let i = 0; i <= WORDS; i++) {
      square[2 * i] = spread(power[i]! & 0xffff);
      square[2 * i + 1] = spread(power[i]! >>> 16);
    }
    if (bit === "1") {
      for (let i = square.length - 1; i > 0; i--) square[i] = (square[i]! << 1) | (square[i - 1]! >>> 31);
      square[0] = square[0]! << 1;
    }
    power = reduced(square);
  }
  return power;
}

/** A zero after each of 16 bits: the square of a polynomial over GF(2). */
function spread(bits: number): number {
  let x = bits;
  x = (x | (x << 8)) & 0x00ff00ff;
  x = (x | (x << 4)) & 0x0f0f0f0f;
  x = (x | (x << 2)) & 0x33333333;
  return (x | (x << 1)) & 0x55555555;
}

/** Replaces x^(DEGREE + k) by x^k times the rest of the characteristic polynomial, from the top down, a word of k at a time. */
function reduced(polynomial: Uint32Array): Uint32Array {
  for (let word = polynomial.length - 1; word > WORDS; word--) fold(polynomial, word, 0xffffffff);
  fold(polynomial, WORDS, (0xffffffff << (DEGREE & 31)) >>> 0);
  return polynomial.slice(0, WORDS + 1);
}

function fold(polynomial: Uint32Array, word: number, mask: number): void {
  const high = (polynomial[word]! & mask) >>> 0;
  if (high === 0) return;
  polynomial[word] = polynomial[word]! ^ high;
  for (const exponent of lowerExponents) {
    const to = 32 * word - DEGREE + exponent;
    const [at, shift] = [to >> 5, to & 31];
    if (at >= 0) polynomial[at] = polynomial[at]! ^ (high << shift);
    if (shift) polynomial[at + 1] = polynomial[at + 1]! ^ (high >>> (32 - shift));
  }
}

/** Exponents of the characteristic polynomial but its highest, by the paper's formula for it. */
const lowerExponents: readonly number[] = characteristic().filter((exponent) => exponent < DEGREE);

function characteristic(): number[] {
  // Polynomials as sets of exponents: adding a term twice removes it.
  const times = (a: ReadonlySet<number>, b: readonly number[]): Set<number> => {
    const product = new Set<number>();
    for (const x of a) for (const y of b) if (!product.delete(x + y)) product.add(x + y);
    return product;
  };
  const upper = [N, M];
  const lower = [N - 1, M - 1];
  const total = new Set<number>();
  const include = (terms: ReadonlySet<number>): void => {
    for (const x of terms) if (!total.delete(x)) total.add(x);
  };
  // (t^N + t^M) (t^(N-1) + t^(M-1))^k for k = 31, 30, ..., weighted by the matrix's bits, then the constant.
  let power = times(new Set([0]), upper);
  for (let k = 0; k <= 31; k++) {
    if (k === 31 || (MATRIX >>> (30 - k)) & 1) include(power);
    power = times(power, lower);
  }
  if (MATRIX >>> 31) include(new Set([0]));
  return [...total].sort((a, b) => b - a);
}
