import fc from "fast-check";
import { expect, test } from "vitest";
import { minimise, type Objective } from "./lbfgs.ts";

const options = { maxIterations: 200, gradientTolerance: 1e-8, valueTolerance: 1e-15 };

const rosenbrock: Objective = (x, gradient) => {
  const [a, b] = [x[0]!, x[1]!];
  gradient[0] = -400 * a * (b - a * a) - 2 * (1 - a);
  gradient[1] = 200 * (b - a * a);
  return 100 * (b - a * a) ** 2 + (1 - a) ** 2;
};

test("it finds the minimum of Rosenbrock's valley, and the constrained one when a bound cuts it off", () => {
  const free = minimise(rosenbrock, [-1.2, 1], [-5, -5], [5, 5], options);
  expect(free.x[0]).toBeCloseTo(1, 5);
  expect(free.x[1]).toBeCloseTo(1, 5);
  const bounded = minimise(rosenbrock, [-1.2, 1], [-5, -5], [0.5, 5], options);
  expect(bounded.x[0]).toBe(0.5);
  expect(bounded.x[1]).toBeCloseTo(0.25, 5);
});

test("a convex quadratic in a box ends where no projected gradient is left, never outside", () => {
  const number = fc.double({ min: -3, max: 3, noNaN: true });
  fc.assert(
    fc.property(fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 8 }), (terms) => {
      const f: Objective = (x, gradient) => {
        let value = 0;
        for (const [k, [centre]] of terms.entries()) {
          expect(x[k]! >= -1 && x[k]! <= 1).toBe(true);
          gradient[k] = 2 * (k + 1) * (x[k]! - centre);
          value += (k + 1) * (x[k]! - centre) ** 2;
        }
        return value;
      };
      const low = terms.map(() => -1);
      const high = terms.map(() => 1);
      const { x } = minimise(
        f,
        terms.map(([, start]) => start),
        low,
        high,
        options,
      );
      for (const [k, [centre]] of terms.entries()) expect(x[k]).toBeCloseTo(Math.min(1, Math.max(-1, centre)), 4);
    }),
    { seed: 5 },
  );
});

test("values that are not finite are stepped back from", () => {
  const f: Objective = (x, gradient) => {
    gradient[0] = 1 - 1 / x[0]!;
    return x[0]! > 0 ? x[0]! - Math.log(x[0]!) : Number.NaN;
  };
  expect(minimise(f, [3], [-10], [10], options).x[0]).toBeCloseTo(1, 5);
});
