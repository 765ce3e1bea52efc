/** Numbers that PyTorch computed, for tests. */

import { openCheckpointFile, openTensorFile } from "@amalgam/checkpoint";
import { expect } from "vitest";

export type FloatTensors = ReadonlyMap<string, Float32Array>;

/** A tensor in few numbers, as tests/golden/fisher has them. */
export interface Summary {
  readonly sum: number;
  readonly norm: number;
  /** Some elements, by their index. */
  readonly elements: Readonly<Record<string, number>>;
}

/** All tensors of a float32 file. */
export async function readFloats(path: string): Promise<FloatTensors> {
  const checkpoint = await openTensorFile(path);
  const [file] = checkpoint.files;
  await using source = await openCheckpointFile(checkpoint, file!.name);
  const tensors = new Map<string, Float32Array>();
  for (const { name, offset, byteLength } of checkpoint.tensors.values()) {
    const values = new Float32Array(byteLength / Float32Array.BYTES_PER_ELEMENT);
    await source.readInto(new Uint8Array(values.buffer), offset);
    tensors.set(name, values);
  }
  return tensors;
}

export const normOf = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** No element is farther from what it should be than a share of the largest element of its tensor, or than rounding of the largest of all. */
export function expectFloats(found: FloatTensors, expected: FloatTensors, relative: number): void {
  const largestOf = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, value), 0);
  const rounding = 1e-10 * Math.max(...expected.values().map(largestOf));
  expect(new Set(found.keys())).toEqual(new Set(expected.keys()));
  for (const [name, values] of expected) {
    const worst = largestOf(values.map((value, i) => Math.abs(value - found.get(name)![i]!)));
    expect(worst / Math.max(rounding, largestOf(values)), name).toBeLessThan(relative);
  }
}

/** As {@link expectFloats}, of what the summaries tell. */
export function expectSummaries(
  found: FloatTensors,
  expected: Readonly<Record<string, Summary>>,
  relative: number,
): void {
  const rounding = 1e-10 * Math.max(...Object.values(expected).map(({ norm }) => norm));
  expect(new Set(found.keys())).toEqual(new Set(Object.keys(expected)));
  for (const [name, { norm, sum, elements }] of Object.entries(expected)) {
    const values = found.get(name)!;
    const scale = Math.max(rounding, norm);
    expect(Math.abs(normOf(values) - norm) / scale, name).toBeLessThan(relative);
    const total = values.reduce((all, value) => all + value, 0);
    expect(Math.abs(total - sum) / Math.max(scale, sum), name).toBeLessThan(relative);
    for (const [i, value] of Object.entries(elements))
      expect(Math.abs(values[Number(i)]! - value) / scale, `${name}[${i}]`).toBeLessThan(relative);
  }
}
