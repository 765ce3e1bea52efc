import fc from "fast-check";
import { expect, test } from "vitest";
import { createStream, purposes } from "./rng.ts";
import { createSobol } from "./sobol.ts";
import { directionRows } from "./sobol-table.ts";

const dimension = 70;

function points(seed: number, from: number, count: number): Float64Array[] {
  const sobol = createSobol(dimension, createStream(seed, 0, purposes.start));
  return Array.from({ length: count }, (_, index) => {
    const point = new Float64Array(dimension);
    sobol.point(from + index, point);
    return point;
  });
}

test("every aligned block of 2^k points hits each of 2^k slices of every coordinate once, past the table too", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 30 }), fc.integer({ min: 0, max: 8 }), fc.nat({ max: 1000 }), (seed, log, block) => {
      const count = 2 ** log;
      const sample = points(seed, block * count, count);
      for (let k = 0; k < dimension; k++) {
        const slices = new Set(sample.map((point) => Math.floor(point[k]! * count)));
        expect(slices.size).toBe(count);
      }
    }),
    { numRuns: 25, seed: 1 },
  );
});

test("the first two coordinates form a (0, m, 2)-net: every elementary box of area 2^-6 holds one of 64 points", () => {
  const sample = points(5, 0, 64);
  for (let split = 0; split <= 6; split++) {
    const boxes = new Set(
      sample.map((point) => Math.floor(point[0]! * 2 ** split) * 64 + Math.floor(point[1]! * 2 ** (6 - split))),
    );
    expect(boxes.size).toBe(64);
  }
});

test("different seeds scramble differently and points stay inside the open cube", () => {
  const [a] = points(1, 3, 1);
  const [b] = points(2, 3, 1);
  expect(a).not.toEqual(b);
  for (const coordinate of a!) expect(coordinate > 0 && coordinate < 1).toBe(true);
});

test("the table holds one primitive polynomial per dimension and admissible initial numbers", () => {
  expect(directionRows).toHaveLength(63);
  const seen = new Set<string>();
  for (const { degree, polynomial, initial } of directionRows) {
    expect(initial).toHaveLength(degree);
    for (const [index, m] of initial.entries()) expect(m % 2 === 1 && m < 2 ** (index + 1)).toBe(true);
    expect(isPrimitive(degree, 2 ** degree + 2 * polynomial + 1)).toBe(true);
    seen.add(`${degree} ${polynomial}`);
  }
  expect(seen.size).toBe(63);
});

/** Does x generate all 2^degree - 1 non-zero residues modulo the polynomial over GF(2)? */
function isPrimitive(degree: number, polynomial: number): boolean {
  let residue = 1;
  for (let order = 1; order < 2 ** degree; order++) {
    residue <<= 1;
    if (residue >= 2 ** degree) residue ^= polynomial;
    if (residue === 1) return order === 2 ** degree - 1;
  }
  return false;
}
