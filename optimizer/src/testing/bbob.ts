// Six of the noiseless functions of Hansen, Finck, Ros, Auger: Real-parameter black-box optimization benchmarking 2009
// (INRIA RR-6829), by their numbers there: shapes, not COCO's instances, since rotations and optima come from our own
// seeded numbers. Boxes are [-5, 5]^d; scores are negated values, so the optimum is 0.

import { mulberry32 } from "./mulberry32.ts";
import { exact, floats, type Problem } from "./problem.ts";

type Vector = readonly number[];

const sum = (values: Vector): number => values.reduce((total, value) => total + value, 0);
const at = (k: number, dimension: number): number => (dimension === 1 ? 0 : k / (dimension - 1));

/** Condition `alpha`: the k-th coordinate is scaled by alpha^(k / (2 (d - 1))). */
const conditioned = (z: Vector, alpha: number): number[] => z.map((v, k) => alpha ** (0.5 * at(k, z.length)) * v);

/** T_osz: breaks the regularity of a function by small oscillations. */
function oscillate(value: number): number {
  if (value === 0) return 0;
  const log = Math.log(Math.abs(value));
  const [c1, c2] = value > 0 ? [10, 7.9] : [5.5, 3.1];
  return Math.sign(value) * Math.exp(log + 0.049 * (Math.sin(c1 * log) + Math.sin(c2 * log)));
}

/** T_asy: breaks symmetry. */
const asymmetric = (z: Vector, beta: number): number[] =>
  z.map((v, k) => (v > 0 ? v ** (1 + beta * at(k, z.length) * Math.sqrt(v)) : v));

const outside = (x: Vector): number => sum(x.map((v) => Math.max(0, Math.abs(v) - 5) ** 2));
const apply = (matrix: readonly Vector[], x: Vector): number[] =>
  matrix.map((row) => sum(row.map((m, k) => m * x[k]!)));

/** A random rotation: Gram-Schmidt on rows of normal numbers. */
function rotation(dimension: number, draw: () => number): number[][] {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
  const rows: number[][] = [];
  while (rows.length < dimension) {
    const row = Array.from({ length: dimension }, normal);
    for (const other of rows) {
      const along = sum(row.map((v, k) => v * other[k]!));
      for (let k = 0; k < dimension; k++) row[k]! -= along * other[k]!;
    }
    const norm = Math.sqrt(sum(row.map((v) => v ** 2)));
    rows.push(row.map((v) => v / norm));
  }
  return rows;
}

/** f1 sphere, f8 Rosenbrock, f10 rotated ellipsoid, f15 rotated Rastrigin, f20 Schwefel, f21 Gallagher's 101 peaks. */
export function bbob(number: Shape, dimension: number, seed: number): Problem {
  const draw = mulberry32(1000 * seed + number);
  const value = functions[number](dimension, draw);
  return exact(floats(dimension, -5, 5), 0, (x) => -value(x));
}

const uniform = (dimension: number, limit: number, draw: () => number): number[] =>
  Array.from({ length: dimension }, () => limit * (2 * draw() - 1));

type Shape = 1 | 8 | 10 | 15 | 20 | 21;

const functions: Record<Shape, (d: number, draw: () => number) => (x: Vector) => number> = {
  1: (d, draw) => {
    const best = uniform(d, 4, draw);
    return (x) => sum(x.map((v, k) => (v - best[k]!) ** 2));
  },
  8: (d, draw) => {
    const best = uniform(d, 3, draw);
    const scale = Math.max(1, Math.sqrt(d) / 8);
    return (x) => {
      const z = x.map((v, k) => scale * (v - best[k]!) + 1);
      return sum(z.slice(1).map((next, k) => 100 * (z[k]! ** 2 - next) ** 2 + (z[k]! - 1) ** 2));
    };
  },
  10: (d, draw) => {
    const best = uniform(d, 4, draw);
    const r = rotation(d, draw);
    return (x) => {
      const rotated = apply(
        r,
        x.map((v, k) => v - best[k]!),
      );
      return sum(rotated.map((v, k) => 10 ** (6 * at(k, d)) * oscillate(v) ** 2));
    };
  },
  15: (d, draw) => {
    const best = uniform(d, 4, draw);
    const r = rotation(d, draw);
    const q = rotation(d, draw);
    return (x) => {
      const shifted = apply(
        r,
        x.map((v, k) => v - best[k]!),
      );
      const z = apply(r, conditioned(apply(q, asymmetric(shifted.map(oscillate), 0.2)), 10));
      return 10 * (d - sum(z.map((v) => Math.cos(2 * Math.PI * v)))) + sum(z.map((v) => v ** 2));
    };
  },
  20: (d, draw) => {
    const signs = Array.from({ length: d }, () => (draw() < 0.5 ? -1 : 1));
    const best = 4.2096874633;
    return (x) => {
      const doubled = x.map((v, k) => 2 * signs[k]! * v);
      const linked = doubled.map((v, k) => (k === 0 ? v : v + 0.25 * (doubled[k - 1]! - best)));
      const scaled = conditioned(
        linked.map((v) => v - best),
        10,
      );
      const z = scaled.map((v) => 100 * (v + best));
      const waves = sum(z.map((v) => v * Math.sin(Math.sqrt(Math.abs(v)))));
      return 4.189828872724339 - waves / (100 * d) + 100 * outside(z.map((v) => v / 100));
    };
  },
  21: (d, draw) => {
    const r = rotation(d, draw);
    const peaks = Array.from({ length: 101 }, (_, i) => {
      const alpha = i === 0 ? 1000 : 1000 ** (2 * Math.floor(100 * draw()) * (1 / 99));
      return {
        height: i === 0 ? 10 : 1.1 + (8 * (i - 1)) / 99,
        centre: apply(r, uniform(d, i === 0 ? 4 : 5, draw)),
        scales: Array.from({ length: d }, (_, k) => alpha ** (0.5 * at(k, d)) / alpha ** 0.25),
      };
    });
    return (x) => {
      const rotated = apply(r, x);
      const values = peaks.map(({ height, centre, scales }) => {
        const misfit = sum(rotated.map((v, k) => scales[k]! * (v - centre[k]!) ** 2));
        return height * Math.exp(-misfit / (2 * d));
      });
      return oscillate(10 - Math.max(...values)) ** 2;
    };
  },
};
