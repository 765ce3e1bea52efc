// What property tests of methods are made of: merges of a few float32 numbers, and families of models around a base.
import fc from "fast-check";
import { expect } from "vitest";
import { decodeElements, encodeElements } from "../convert.ts";
import { METHODS } from "../methods/index.ts";
import type { Scalars } from "../types.ts";
import { merged, programFor } from "./models.ts";

const weights = fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: 1, maxLength: 20 });
export const perModel = (name: string, values: readonly number[]): Scalars =>
  Object.fromEntries(values.map((v, i) => [`${name}[${i}]`, v]));

/** Merges float32 tensors: base (if the method has one), models, companions. */
export function merge(
  method: string,
  inputs: readonly (readonly number[])[],
  scalars: Scalars,
  options: Record<string, boolean | string> = {},
): number[] {
  const { base, companions } = METHODS[method]!;
  const models = (inputs.length - (base === "none" ? 0 : 1)) / (1 + companions.length);
  const program = programFor(METHODS[method]!, models, "F32", options);
  const tensor = { inputs: inputs.map((x) => encodeElements(x, "F32")), elements: inputs[0]!.length, scalars };
  // + 0: which zero a result is, is not a matter of the mathematics.
  return Array.from(decodeElements(merged(program, [tensor])[0]!.bytes, "F32"), (x) => x + 0);
}

/** Models that differ from the base by something of its own size. */
export const family: fc.Arbitrary<[number[], number[][]]> = weights.chain((base) =>
  fc.tuple(
    fc.constant(base),
    fc.array(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: base.length, maxLength: base.length }), {
      minLength: 3,
      maxLength: 3,
    }),
  ),
);
export const closeTo = (actual: readonly number[], expected: readonly number[], within = 2e-6): void => {
  actual.forEach((x, i) => {
    expect(Math.abs(x - expected[i]!)).toBeLessThanOrEqual(within * (1 + Math.abs(expected[i]!)));
  });
};
