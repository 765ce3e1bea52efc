// Sobol points with nested uniform (Owen) scrambling by hashing: B. Burley, "Practical hash-based Owen scrambling",
// JCGT 9(4), 2020. Every aligned block of 2^k points puts exactly one point into each of the 2^k equal slices of
// every coordinate. Past 64 dimensions the table repeats with independently shuffled indices (Burley's padding).

import type { RandomStream } from "./rng.ts";
import { directionRows } from "./sobol-table.ts";

export interface SobolSequence {
  /** Writes point `index` (0 <= index < 2^32) into `out` [dimension]; coordinates lie strictly inside (0, 1). */
  point(index: number, out: Float64Array): void;
}

/** A scrambled sequence; the stream supplies the scramble's keys and is not used afterwards. */
export function createSobol(dimension: number, stream: RandomStream): SobolSequence {
  const tableSize = directions.length;
  const scrambleKeys = Uint32Array.from({ length: dimension }, () => stream.uint32());
  // The first block keeps its order so that a prefix of the sequence is a prefix of Sobol's.
  const shuffleKeys = Uint32Array.from({ length: Math.ceil(dimension / tableSize) }, () => stream.uint32());
  return {
    point(index, out) {
      let shuffled = index;
      for (let k = 0; k < dimension; k++) {
        if (k > 0 && k % tableSize === 0) shuffled = scramble(index, shuffleKeys[k / tableSize]!);
        const columns = directions[k % tableSize]!;
        let bits = 0;
        for (let rest = shuffled, j = 0; rest !== 0; rest >>>= 1, j++) if (rest & 1) bits ^= columns[j]!;
        out[k] = (scramble(bits, scrambleKeys[k]!) + 0.5) / 2 ** 32;
      }
    },
  };
}

/** Nested uniform scramble: each bit is flipped by a hash of the bits above it. */
function scramble(bits: number, key: number): number {
  let x = (reverseBits(bits) + key) | 0;
  x ^= Math.imul(x, 0x6c50b47c);
  x ^= Math.imul(x, 0xb82f1e52);
  x ^= Math.imul(x, 0xc7afe638);
  x ^= Math.imul(x, 0x8d22f6e6);
  return reverseBits(x);
}

function reverseBits(bits: number): number {
  let x = bits;
  x = ((x >>> 1) & 0x55555555) | ((x & 0x55555555) << 1);
  x = ((x >>> 2) & 0x33333333) | ((x & 0x33333333) << 2);
  x = ((x >>> 4) & 0x0f0f0f0f) | ((x & 0x0f0f0f0f) << 4);
  x = ((x >>> 8) & 0x00ff00ff) | ((x & 0x00ff00ff) << 8);
  return ((x >>> 16) | (x << 16)) >>> 0;
}

/** Per dimension the 32 direction numbers, leading bit highest (recurrence of Bratley and Fox, 1988). */
const directions: readonly Uint32Array[] = [
  Uint32Array.from({ length: 32 }, (_, j) => 2 ** (31 - j)),
  ...directionRows.map(({ degree, polynomial, initial }) => {
    const columns = new Uint32Array(32);
    for (let j = 0; j < 32; j++) {
      if (j < degree) {
        columns[j] = initial[j]! * 2 ** (31 - j);
        continue;
      }
      let column = columns[j - degree]! ^ (columns[j - degree]! >>> degree);
      for (let k = 1; k < degree; k++) if ((polynomial >>> (degree - 1 - k)) & 1) column ^= columns[j - k]!;
      columns[j] = column;
    }
    return columns;
  }),
];
