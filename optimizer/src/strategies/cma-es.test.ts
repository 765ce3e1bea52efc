import fc from "fast-check";
import { expect, test } from "vitest";
import { createStream, purposes } from "../numerics/rng.ts";
import {
  type CmaState,
  defaultPopulation,
  defaultSigma,
  drawCma,
  foldIntoCube,
  spreadOf,
  startCma,
  updateCma,
} from "./cma-es.ts";

type Loss = (x: Float64Array) => number;

const startAtCentre = (d: number, steps: ArrayLike<number> = new Float64Array(d)): CmaState =>
  startCma({ mean: new Float64Array(d).fill(0.5), sigma: defaultSigma, steps });

/** One generation of default size: the next state and the loss of the best point. */
function evolve(state: CmaState, loss: Loss, seed: number): { state: CmaState; best: number } {
  const ranked = Array.from({ length: defaultPopulation(state.mean.length) }, (_, i) => {
    const point = drawCma(state, createStream(seed, state.generation * 1000 + i, purposes.candidates));
    return { point, loss: loss(foldIntoCube(point)) };
  }).toSorted((a, b) => a.loss - b.loss);
  return { state: updateCma(state, ranked), best: ranked[0]!.loss };
}

/** Evaluations until the loss is below `target`, at most `most`. */
function evaluationsTo(target: number, loss: Loss, d: number, seed: number, most: number): number {
  let state = startAtCentre(d);
  for (let evaluations = 0; evaluations < most; ) {
    const next = evolve(state, loss, seed);
    evaluations += defaultPopulation(d);
    if (next.best < target) return evaluations;
    state = next.state;
  }
  return Number.POSITIVE_INFINITY;
}

const sphere =
  (centre: number): Loss =>
  (x) =>
    x.reduce((sum, u) => sum + (u - centre) ** 2, 0);

/** On [-5, 10]^6, as in the benchmark. */
const rosenbrock6: Loss = (u) => {
  const x = u.map((v) => -5 + 15 * v);
  let sum = 0;
  for (let k = 0; k < 5; k++) sum += 100 * (x[k + 1]! - x[k]! ** 2) ** 2 + (1 - x[k]!) ** 2;
  return sum;
};

/** Axes of length 1 to 1e-3 along a Householder reflection's columns, which mix all coordinates. */
const rotatedEllipsoid: Loss = (x) => {
  const d = x.length;
  const shifted = x.map((u) => u - 0.4);
  const along = shifted.reduce((sum, u) => sum + u, 0) / d;
  return shifted.reduce((sum, u, i) => sum + 1e6 ** (i / (d - 1)) * (u - 2 * along) ** 2, 0);
};

test.each([
  { name: "a sphere", loss: sphere(0.4), d: 6, target: 1e-4, most: 400 },
  { name: "a sphere about a corner of the cube", loss: sphere(0), d: 6, target: 1e-4, most: 520 },
  {
    name: "a slope down to a corner",
    loss: ((x) => x.reduce((a, u) => a + u, 0)) as Loss,
    d: 6,
    target: 0.01,
    most: 650,
  },
  { name: "a rotated ellipsoid of condition 1e6", loss: rotatedEllipsoid, d: 8, target: 1e-6, most: 2900 },
  { name: "rosenbrock6", loss: rosenbrock6, d: 6, target: 1e-6, most: 3500 },
])("it descends $name within $most evaluations, whatever the seed", ({ loss, d, target, most }) => {
  for (const seed of [1, 2, 3, 4, 5]) expect(evaluationsTo(target, loss, d, seed, most)).toBeLessThanOrEqual(most);
});

test("folding reflects at both faces, and is the identity inside the cube", () => {
  fc.assert(
    fc.property(fc.double({ min: -1e3, max: 1e3, noNaN: true }), fc.integer({ min: -5, max: 5 }), (x, k) => {
      const [folded, mirrored, shifted] = foldIntoCube([x, -x, x + 2 * k]);
      expect(folded).toBeGreaterThanOrEqual(0);
      expect(folded).toBeLessThanOrEqual(1);
      expect(mirrored).toBe(folded);
      expect(shifted).toBeCloseTo(folded!, 9);
      if (x >= 0 && x <= 1) expect(folded).toBe(Math.abs(x));
    }),
  );
});

test("a better point from elsewhere draws the mean towards it, but no further than a draw could", () => {
  let state = startAtCentre(4);
  for (let g = 0; g < 8; g++) ({ state } = evolve(state, sphere(0.5), 3));
  const own = Array.from({ length: 7 }, (_, i) => ({ point: drawCma(state, createStream(9, i, purposes.start)) }));
  const next = updateCma(state, [{ point: [1, 1, 1, 1], isForeign: true }, ...own]);
  const without = updateCma(state, own);
  for (let k = 0; k < 4; k++) expect(next.mean[k]!).toBeGreaterThan(without.mean[k]!);
  expect(Math.max(...next.mean) - 0.5).toBeLessThan(4 * spreadOf(state));
  // Reflections of one point are one point.
  expect(updateCma(state, [{ point: [-1, 3, 1, 1], isForeign: true }, ...own])).toEqual(next);
});

test("the bins of a coarse coordinate are left as long as the search goes on", () => {
  // Three levels; the middle one, where the search starts, is best until it has settled there.
  const steps = [1 / 3, 0];
  let state = startAtCentre(2, steps);
  const levelOf = (u: number): number => Math.min(2, Math.floor(3 * u));
  for (let g = 0; g < 40; g++) ({ state } = evolve(state, (x) => Math.abs(levelOf(x[0]!) - 1) + (x[1]! - 0.3) ** 2, 4));
  expect(spreadOf(state)).toBeLessThan(1e-4);
  for (let g = 0; g < 40; g++) ({ state } = evolve(state, (x) => Math.abs(levelOf(x[0]!) - 2) + (x[1]! - 0.3) ** 2, 5));
  expect(levelOf(foldIntoCube(state.mean)[0]!)).toBe(2);
});

test("scores that say nothing, equal points and long runs leave the distribution finite and inside its bounds", () => {
  const draws = createStream(2, 0, purposes.start);
  let state = startAtCentre(5);
  for (let g = 0; g < 300; g++) ({ state } = evolve(state, () => draws.uniform(), 6));
  expect(spreadOf(state)).toBeLessThanOrEqual(1 + 1e-9);
  for (let g = 0; g < 50; g++)
    state = updateCma(
      state,
      Array.from({ length: 8 }, () => ({ point: state.mean })),
    );
  expect([...drawCma(state, draws), ...state.covariance, state.sigma].every(Number.isFinite)).toBe(true);
});

test("an update changes nothing of the state it starts from", () => {
  const state = startAtCentre(3);
  const before = JSON.stringify(state);
  evolve(state, sphere(0.2), 7);
  expect(JSON.stringify(state)).toBe(before);
});
