import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFileSource, readHeader, type TensorSpec } from "@amalgam/checkpoint";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../model-directory.ts";
import { toFloat32 } from "../session/float32.ts";
import type { RunningSum } from "./estimate.ts";
import { type FisherFileOptions, writeFisherFile } from "./fisher-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "amalgam-fisher-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const items = 24;
const specs: readonly TensorSpec[] = [
  { name: "a", dtype: "F32", shape: [3, 2] },
  { name: "b", dtype: "F32", shape: [5] },
  { name: "unread", dtype: "F32", shape: [2] },
];
const sizes = new Map(specs.map(({ name, shape }) => [name, shape.reduce((x, y) => x * y, 1)]));

/** Sums that tell which items are in them, eight at a time; notes what it was asked and stops after some calls of `onRange`. */
function estimator(asked: string[], stopAfter = Number.POSITIVE_INFINITY): FisherFileOptions["estimate"] {
  let ranges = 0;
  return async (tensors, { from, onRange }) => {
    const read = [...tensors].filter((name) => name !== "unread");
    asked.push(`${[...tensors]} from ${from?.items ?? 0}`);
    let sum: RunningSum = from ?? {
      items: 0,
      tensors: new Map(read.map((name) => [name, new Float32Array(sizes.get(name)!)])),
    };
    while (read.length > 0 && sum.items < items) {
      for (const values of sum.tensors.values()) for (const i of values.keys()) values[i]! += (i + 1) * (sum.items + 1);
      sum = { ...sum, items: sum.items + 8 };
      await onRange(sum);
      if (++ranges === stopAfter) throw new Error("stopped");
    }
    return new Map([...sum.tensors].map(([name, values]) => [name, values.map((value) => value / items)]));
  };
}

const optionsOf = (options: Partial<FisherFileOptions> & Pick<FisherFileOptions, "estimate">): FisherFileOptions => ({
  path: join(folder, "fisher.safetensors"),
  tensors: specs,
  metadata: { task: "speech", digest: "1" },
  items,
  groupBytes: 1e6,
  saveMs: 0,
  signal: new AbortController().signal,
  ...options,
});

const bytes = (): Promise<Buffer> => readFile(join(folder, "fisher.safetensors"));

test("the file has the tensors, zeros for those that the model does not read, and says what it is", async () => {
  await writeFisherFile(optionsOf({ estimate: estimator([]) }));
  const found = await loadWeightsFromCheckpoint(join(folder, "fisher.safetensors"));
  const sum = 1 + 9 + 17;
  expect([...toFloat32("b", found.get("b")!)]).toEqual(
    [1, 2, 3, 4, 5].map((factor) => Math.fround((factor * sum) / items)),
  );
  expect(found.get("a")!.shape).toEqual([3, 2]);
  expect([...toFloat32("unread", found.get("unread")!)]).toEqual([0, 0]);
  await using source = await openFileSource(join(folder, "fisher.safetensors"));
  const { header } = await readHeader(source);
  expect(Object.fromEntries(header.metadata)).toEqual({ format: "pt", task: "speech", digest: "1" });
  expect(await readdir(folder)).toEqual(["fisher.safetensors"]);
});

test("bfloat16 is rounded to nearest", async () => {
  const tensors = specs.map((spec) => ({ ...spec, dtype: "BF16" as const }));
  await writeFisherFile(
    optionsOf({
      tensors,
      estimate: async () => new Map([["b", Float32Array.of(1, 1.00390625, 1.01171875, 3e-39, 1e30)]]),
    }),
  );
  const found = await loadWeightsFromCheckpoint(join(folder, "fisher.safetensors"));
  const [one, down, up, tiny, large] = toFloat32("b", found.get("b")!);
  expect([one, down, up]).toEqual([1, 1, 1.015625]);
  expect(Math.abs(tiny! / 3e-39 - 1)).toBeLessThan(2 ** -6);
  expect(Math.abs(large! / 1e30 - 1)).toBeLessThan(2 ** -8);
});

test.for([1, 2, 4, 5])(
  "stopped after %i ranges of two groups, the same command goes on where it was, with the same bytes",
  async (after) => {
    await writeFisherFile(optionsOf({ groupBytes: 24, estimate: estimator([]) }));
    const undisturbed = await bytes();
    await rm(join(folder, "fisher.safetensors"));
    await expect(writeFisherFile(optionsOf({ groupBytes: 24, estimate: estimator([], after) }))).rejects.toThrow(
      "stopped",
    );
    expect(await readdir(folder)).toEqual([".fisher.safetensors.amalgam-scratch"]);
    const asked: string[] = [];
    await writeFisherFile(optionsOf({ groupBytes: 24, estimate: estimator(asked) }));
    const done = (ranges: number): number => Math.max(0, Math.min(items, 8 * ranges));
    expect(asked).toEqual([`a from ${done(after)}`, `b from ${done(after - 3)}`, "unread from 0"]);
    expect(await bytes()).toEqual(undisturbed);
    expect(await readdir(folder)).toEqual(["fisher.safetensors"]);
  },
);

test("what another estimate had summed is not taken, and an earlier file stays until the new one is whole", async () => {
  await writeFisherFile(optionsOf({ estimate: estimator([]) }));
  const earlier = await bytes();
  await expect(writeFisherFile(optionsOf({ estimate: estimator([], 2) }))).rejects.toThrow("stopped");
  expect(await bytes()).toEqual(earlier);
  const asked: string[] = [];
  await writeFisherFile(optionsOf({ metadata: { task: "speech", digest: "2" }, estimate: estimator(asked) }));
  expect(asked).toEqual(["a,b,unread from 0"]);
});

test("two processes do not write the same file at a time", async () => {
  const inside = Promise.withResolvers<void>();
  const enough = Promise.withResolvers<void>();
  const first = writeFisherFile(
    optionsOf({
      async estimate() {
        inside.resolve();
        await enough.promise;
        return new Map();
      },
    }),
  );
  await inside.promise;
  await expect(writeFisherFile(optionsOf({ estimate: estimator([]) }))).rejects.toThrow("another process is writing");
  enough.resolve();
  await first;
});
