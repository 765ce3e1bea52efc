import { expect, test } from "vitest";
import { createStream, philox4x32, purposes } from "./rng.ts";

test("Philox4x32-10 reproduces the authors' known answers", () => {
  const image = (counter: number[], key: [number, number]): number[] => {
    const block = Uint32Array.from(counter);
    philox4x32(block, ...key);
    return [...block];
  };
  expect(image([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  expect(image([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff])).toEqual([
    0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
  ]);
  expect(image([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
    0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
  ]);
});

test("a stream depends on seed, trial and purpose and on nothing else", () => {
  const first = (seed: number, trial: number, purpose: (typeof purposes)[keyof typeof purposes]): number =>
    createStream(seed, trial, purpose).uniform();
  const reference = first(7, 3, purposes.pruning);
  expect(first(7, 3, purposes.pruning)).toBe(reference);
  expect(first(7 + 2 ** 40, 3, purposes.pruning)).not.toBe(reference);
  expect(first(7, 4, purposes.pruning)).not.toBe(reference);
  expect(first(7, 3, purposes.candidates)).not.toBe(reference);
});

test("uniforms fill (0, 1) evenly and normals have mean 0 and variance 1", () => {
  const stream = createStream(1, 0, purposes.start);
  const uniforms = Array.from({ length: 20_000 }, () => stream.uniform());
  expect(Math.min(...uniforms)).toBeGreaterThan(0);
  expect(Math.max(...uniforms)).toBeLessThan(1);
  expect(uniforms.reduce((a, b) => a + b) / uniforms.length).toBeCloseTo(0.5, 2);
  const normals = Array.from({ length: 20_000 }, () => stream.normal());
  expect(normals.reduce((a, b) => a + b) / normals.length).toBeCloseTo(0, 1);
  expect(normals.reduce((a, b) => a + b * b, 0) / normals.length).toBeCloseTo(1, 1);
});
