import fc from "fast-check";
import { expect, test } from "vitest";
import { type BoxDecomposition, decompose, hypervolume } from "./boxes.ts";

/** Points on a grid, so that equal coordinates, duplicates and dominated points are common. */
const grid = 6;
const problem = fc.integer({ min: 2, max: 4 }).chain((objectives) =>
  fc.record({
    objectives: fc.constant(objectives),
    points: fc.array(fc.array(fc.integer({ min: 0, max: grid }), { minLength: objectives, maxLength: objectives }), {
      maxLength: 12,
    }),
  }),
);

/** Centres of all unit cells of [0, grid + 1]^objectives. */
function* cells(objectives: number): Generator<number[]> {
  const total = (grid + 1) ** objectives;
  for (let index = 0; index < total; index++) {
    yield Array.from({ length: objectives }, (_, j) => (Math.floor(index / (grid + 1) ** j) % (grid + 1)) + 0.5);
  }
}

const isDominated = (z: readonly number[], points: readonly number[][]): boolean =>
  points.some((point) => point.every((value, j) => value >= z[j]!));

function boxesAt(z: readonly number[], { boxes, objectives, boundaries, lower, upper }: BoxDecomposition): number {
  let count = 0;
  for (let b = 0; b < boxes; b++) {
    const isInside = z.every((value, j) => {
      const at = b * objectives + j;
      return value > boundaries[j]![lower[at]!]! && value < boundaries[j]![upper[at]!]!;
    });
    if (isInside) count++;
  }
  return count;
}

test("every place is in exactly one box if no point dominates it, else in none; the hypervolume is what is dominated", () => {
  fc.assert(
    fc.property(problem, ({ objectives, points }) => {
      const flat = Float64Array.from(points.flat());
      const reference = new Float64Array(objectives);
      const decomposition = decompose(flat, reference);
      let dominated = 0;
      for (const z of cells(objectives)) {
        const isBelow = isDominated(z, points);
        if (isBelow) dominated++;
        expect(boxesAt(z, decomposition)).toBe(isBelow ? 0 : 1);
      }
      expect(hypervolume(flat, reference)).toBe(dominated);
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("dominated points, duplicates and points not above the reference change nothing, nor does the order", () => {
  const front = [1, 5, 3, 3, 5, 1];
  const more = [3, 3, 1, 1, 9, -1, -5, -5, ...front];
  const reference = [0, 0];
  expect(hypervolume(Float64Array.from(front), reference)).toBe(13);
  expect(decompose(Float64Array.from(more), reference)).toEqual(decompose(Float64Array.from(front), reference));
  expect(hypervolume(new Float64Array(0), reference)).toBe(0);
  expect(decompose(new Float64Array(0), reference).boxes).toBe(1);
});

test("in two objectives n points that trade off leave n + 1 boxes, in four a few for each point", () => {
  const sphere = (count: number, objectives: number): Float64Array =>
    Float64Array.from(
      Array.from({ length: count }, (_, i) => {
        const raw = Array.from({ length: objectives }, (_, j) => 0.1 + Math.abs(Math.sin(17 * (i + 1) * (j + 1))));
        return raw.map((value) => value / Math.hypot(...raw));
      }).flat(),
    );
  expect(decompose(sphere(20, 2), [0, 0]).boxes).toBe(21);
  expect(decompose(sphere(20, 4), [0, 0, 0, 0]).boxes).toBeLessThan(20 * 15);
});
