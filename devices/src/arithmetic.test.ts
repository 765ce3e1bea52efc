// The operators on a device over all kinds of numbers: the bits of float32 arithmetic, or no trust.
import { decodeElements, encodeElements } from "@amalgam/kernels";
import { allOperators, generator, interpreted, programFor } from "@amalgam/kernels/testing";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { testDevices } from "./testing/devices.ts";

afterAll(async () => {
  for (const { device } of testDevices) await device?.[Symbol.asyncDispose]();
});

const ELEMENTS = 512;
const SPECIAL = [0, -0, 1, -1, 2 ** -126, -(2 ** -126), 2 ** -149, 2 ** -127, 3e38, Infinity, -Infinity, Number.NaN];

/** Numbers of magnitudes from 2^-`range` to 2^`range`, some of them among the given ones. */
function numbers(seed: number, range: number, others: readonly number[]): Float64Array {
  const next = generator(seed);
  return Float64Array.from({ length: ELEMENTS }, () => {
    if (others.length && next() < 0.05) return others[Math.floor(next() * others.length)]!;
    return (next() < 0.5 ? -1 : 1) * (1 + next()) * 2 ** Math.round((2 * next() - 1) * range);
  });
}

describe.each(testDevices)("$title", ({ device }) => {
  const program = programFor(allOperators(false), 2, "F32");
  const scalars = { "weight[0]": 0.75, "weight[1]": 1.25, randomKey: 123_456_789 };

  async function merge(seed: number, range: number, others: readonly number[]) {
    const inputs = [0, 1, 2].map((i) => encodeElements(numbers(3 * seed + i, range, others), "F32"));
    const [expected] = interpreted(
      program,
      [{ inputs, elements: ELEMENTS, scalars, rowElements: ELEMENTS }],
      "float32",
    );
    const output = new Uint8Array(4 * ELEMENTS);
    const window = { inputs, output, first: 0, elements: ELEMENTS, owner: undefined };
    const trusted = await device!.merge(program, window, scalars);
    return { trusted, result: decodeElements(output, "F32"), expected: expected! };
  }

  test.skipIf(!device)("ordinary numbers have the bits of every operator, and are trusted", async () => {
    const property = fc.asyncProperty(fc.nat(1e6), async (seed) => {
      const { trusted, result, expected } = await merge(seed, 8, []);
      expect(trusted).toBe(true);
      expect(result).toEqual(expected);
    });
    await fc.assert(property, { numRuns: 20 });
  });

  test.skipIf(!device)("any other numbers have them too, or are not trusted", async () => {
    const property = fc.asyncProperty(fc.nat(1e6), fc.constantFrom(20, 60, 120), async (seed, range) => {
      const { trusted, result, expected } = await merge(seed, range, seed % 2 ? SPECIAL : []);
      if (trusted) expect(result).toEqual(expected);
    });
    await fc.assert(property, { numRuns: 40 });
  });
});
