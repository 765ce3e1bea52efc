import fc from "fast-check";
import { expect, test } from "vitest";
import { ends, type SimulationOptions, simulate } from "./testing/simulation.ts";

const options: fc.Arbitrary<SimulationOptions> = fc.record({
  seed: fc.nat(),
  workers: fc.integer({ min: 1, max: 4 }),
  shards: fc.integer({ min: 1, max: 6 }),
  maxAttempts: fc.constantFrom(2, 5, 1000),
  trouble: fc.constantFrom(0, 0.02, 0.05, 0.1),
});

test("whatever workers do, every task is settled once, nothing is stuck, and nobody who is gone gets a lease", async () => {
  await fc.assert(
    fc.asyncProperty(options, async (given) => {
      const { tasks, dropped, leases, violations, stuck, attempts, fleet } = await simulate(given);
      expect(violations).toEqual([]);
      expect(stuck).toEqual([]);
      for (const task of tasks) expect(ends(task)).toBe(dropped.get(task) ?? 1);
      expect(fleet.slots.used).toBe(0);

      expect(new Set(leases.map(({ lease }) => lease.leaseId)).size).toBe(leases.length);
      for (const task of tasks) {
        const numbers = leases.filter(({ key }) => key === task.key).map(({ lease }) => lease.attempt);
        expect(numbers).toEqual(numbers.map((_, index) => index + 1));
        expect(numbers.length).toBeLessThanOrEqual(given.maxAttempts);
        for (const { code } of task.errors) {
          if (code !== "out_of_range") expect(numbers).toHaveLength(given.maxAttempts);
        }
      }
      // Every lease has one end, unless its task was dropped while it ran.
      const ended = attempts.done + attempts.failed + attempts.lost;
      expect(ended).toBeLessThanOrEqual(leases.length);
      expect(ended).toBeGreaterThanOrEqual(leases.length - dropped.size);
    }),
    { numRuns: 1000 },
  );
});
