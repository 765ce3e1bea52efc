// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). A stream is a pure function of (seed, trial, purpose): no state is shared, so unrelated calls and a
// restart cannot change what a trial draws.

import { normalQuantile } from "./normal.ts";

/** What a stream is for. Two purposes of one trial draw independent numbers. */
export const purposes = {
  start: 1,
  candidates: 2,
  perturbation: 3,
  fantasies: 4,
  pruning: 5,
  bestness: 6,
  importance: 7,
  uniform: 8,
  evolution: 9,
  weights: 10,
  rivals: 11,
  improvement: 20,
  stopping: 21,
  functionDraws: 22,
} as const;
export type Purpose = (typeof purposes)[keyof typeof purposes];

export interface RandomStream {
  /** Uniform on the integers [0, 2^32). */
  uint32(): number;
  /** Uniform on the open interval (0, 1), 2^-53 grid. */
  uniform(): number;
  /** Standard normal, by inversion. */
  normal(): number;
}

/** `seed` and `trial` are safe integers; both halves of the seed's 53 bits enter the key. */
export function createStream(seed: number, trial: number, purpose: Purpose): RandomStream {
  const keyLow = seed >>> 0;
  const keyHigh = Math.floor(seed / 2 ** 32) >>> 0;
  const block = new Uint32Array(4);
  let blockIndex = 0;
  let used = 4;
  const uint32 = (): number => {
    if (used === 4) {
      block[0] = blockIndex++;
      block[1] = trial >>> 0;
      block[2] = purpose;
      block[3] = 0;
      philox4x32(block, keyLow, keyHigh);
      used = 0;
    }
    return block[used++]!;
  };
  const uniform = (): number => ((uint32() >>> 6) * 2 ** 26 + (uint32() >>> 6) + 0.5) / 2 ** 52;
  return { uint32, uniform, normal: () => normalQuantile(uniform()) };
}

/** Replaces the counter [4] by its 10-round Philox image under the 64-bit key. */
export function philox4x32(counter: Uint32Array, keyLow: number, keyHigh: number): void {
  let [a, b, c, d] = [counter[0]!, counter[1]!, counter[2]!, counter[3]!];
  let k0 = keyLow;
  let k1 = keyHigh;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, a);
    const low0 = Math.imul(0xd2511f53, a);
    const high1 = multiplyHigh(0xcd9e8d57, c);
    const low1 = Math.imul(0xcd9e8d57, c);
    a = (high1 ^ b ^ k0) >>> 0;
    b = low1 >>> 0;
    c = (high0 ^ d ^ k1) >>> 0;
    d = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  counter.set([a, b, c, d]);
}

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(x: number, y: number): number {
  const xLow = x & 0xffff;
  const xHigh = x >>> 16;
  const yLow = y & 0xffff;
  const yHigh = y >>> 16;
  const middle = xHigh * yLow + ((xLow * yLow) >>> 16);
  const carry = xLow * yHigh + (middle & 0xffff);
  return (xHigh * yHigh + (middle >>> 16) + (carry >>> 16)) >>> 0;
}
