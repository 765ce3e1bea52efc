// The simulated cluster and the numbers made of what it found.
import type { Values } from "@amalgam/optimizer";
import fc from "fast-check";
import { expect, test } from "vitest";
import { protocol } from "./cases.ts";
import { simulateCluster } from "./simulate.ts";
import type { Solver } from "./solver.ts";
import { quantile, regretAt } from "./table.ts";

/** Counts, and asks for 0, 1, 2, .. */
function counter(): Solver & { readonly open: Set<number>; readonly most: () => number } {
  const open = new Set<number>();
  let [asked, most] = [0, 0];
  return {
    open,
    most: () => most,
    async ask() {
      const id = asked++;
      open.add(id);
      most = Math.max(most, open.size);
      return { id, values: { x: id }, wallMs: 0, cpuMs: 0 };
    },
    async tell(id) {
      expect(open.delete(id)).toBe(true);
    },
    recommend: async () => ({}),
  };
}

async function completed(workers: number, budget: number, seed: number): Promise<number[]> {
  const solver = counter();
  const told: number[] = [];
  const outcome = (values: Values): { values: number[] } => ({ values: [Number(values["x"])] });
  for await (const { id } of simulateCluster(solver, { workers, budget, seed }, outcome)) told.push(id);
  expect(solver.open.size).toBe(0);
  expect(solver.most()).toBe(Math.min(workers, budget));
  return told;
}

test("every evaluation that was asked for is told once, and never are there more than workers in flight", async () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 60 }), fc.nat(1000));
  await fc.assert(
    fc.asyncProperty(sizes, async ([workers, budget, seed]) => {
      const told = await completed(workers, budget, seed);
      expect(told.toSorted((a, b) => a - b)).toEqual(Array.from({ length: budget }, (_, k) => k));
      expect(await completed(workers, budget, seed)).toEqual(told);
    }),
  );
});

test("one worker tells in the order of asking; several tell what finishes first, which differs by seed", async () => {
  expect(await completed(1, 12, 3)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  const orders = await Promise.all([1, 2].map((seed) => completed(8, 12, seed)));
  expect(orders[0]).not.toEqual(orders[0]!.toSorted((a, b) => a - b));
  expect(orders[1]).not.toEqual(orders[0]);
});

test("regret is that of the best evaluated point, and under noise that of the recommended one", () => {
  const named = (name: string) => protocol.find((one) => one.name === name)!;
  const row = { case: "", solver: "", seed: 1, askWallMs: [], askCpuMs: [], recommended: { 2: 3 } };
  const scores = [1, 3.25, 3.3];
  expect(regretAt(named("hartmann6"), { ...row, scores }, 2)).toBeCloseTo(3.322368 - 3.25, 6);
  expect(regretAt(named("hartmann6_noisy0.2"), { ...row, scores }, 2)).toBeCloseTo(3.322368 - 3, 6);
});

test("quantiles interpolate between order statistics", () => {
  expect([0, 0.25, 0.5, 1].map((q) => quantile([4, 1, 3, 2], q))).toEqual([1, 1.75, 2.5, 4]);
});
