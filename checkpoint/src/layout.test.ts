import fc from "fast-check";
import { expect, test } from "vitest";
import { parseIndex } from "./index-file.ts";
import { layoutFile, planOutputFiles, type TensorSpec } from "./layout.ts";

const spec = (name: string, elements: number): TensorSpec => ({ name, dtype: "F32", shape: [elements] });

test("a file orders tensors by width and then name, and aligns its data to 8 bytes", () => {
  const layout = layoutFile([
    { name: "b8", dtype: "I8", shape: [3] },
    { name: "z", dtype: "F32", shape: [1] },
    { name: "wide", dtype: "F64", shape: [1] },
    { name: "a", dtype: "F32", shape: [] },
  ]);
  expect([...layout.tensors.keys()]).toEqual(["wide", "a", "z", "b8"]);
  expect(layout.header.length % 8).toBe(0);
  expect(layout.fileBytes).toBe(layout.header.length + 8 + 4 + 4 + 3);
});

test("the bytes of a layout do not depend on the order tensors are given in", () => {
  const tensors = [spec("a", 1), spec("b", 2), spec("c", 3)];
  expect(layoutFile(tensors.toReversed()).header).toEqual(layoutFile(tensors).header);
});

test("an output that fits goes into one file without an index", () => {
  const { files, index, totalBytes } = planOutputFiles([spec("a", 2), spec("b", 1)], 12);
  expect(files.map(({ name }) => name)).toEqual(["model.safetensors"]);
  expect(index).toBeUndefined();
  expect(totalBytes).toBe(12);
});

test("files are cut in the order given and named as transformers names them", () => {
  const { files, index } = planOutputFiles([spec("a", 2), spec("b", 2), spec("big", 9), spec("c", 1)], 16);
  expect(files.map(({ name, tensors }) => [name, [...tensors.keys()]])).toEqual([
    ["model-00001-of-00003.safetensors", ["a", "b"]],
    ["model-00002-of-00003.safetensors", ["big"]],
    ["model-00003-of-00003.safetensors", ["c"]],
  ]);
  const parsed = parseIndex(new TextEncoder().encode(index), "index");
  expect(parsed.totalBytes).toBe(56);
  expect([...parsed.weightMap]).toEqual([
    ["a", files[0]!.name],
    ["b", files[0]!.name],
    ["big", files[1]!.name],
    ["c", files[2]!.name],
  ]);
});

test("every tensor is in one file, and only a tensor larger than the limit exceeds it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(20), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 4, max: 60 }),
      (sizes, limit) => {
        const { files, totalBytes } = planOutputFiles(
          sizes.map((size, i) => spec(`t${i}`, size)),
          limit,
        );
        const data = files.map(({ fileBytes, header }) => fileBytes - header.length);
        expect(files.flatMap(({ tensors }) => [...tensors.keys()])).toHaveLength(sizes.length);
        expect(data.reduce((sum, bytes) => sum + bytes, 0)).toBe(totalBytes);
        for (const { fileBytes, header, tensors } of files) {
          const largest = Math.max(...[...tensors.values()].map(({ begin, end }) => end - begin));
          expect(fileBytes - header.length).toBeLessThanOrEqual(Math.max(limit, largest));
        }
      },
    ),
  );
});

test.each([
  ["a tensor twice", [spec("a", 1), spec("a", 1)], /tensor "a": the tensor appears twice/],
  ["the reserved name", [spec("__metadata__", 1)], /reserved/],
  ["a fractional dimension", [spec("a", 1.5)], /shape \[1.5\] is not valid/],
  ["a negative dimension", [spec("a", -1)], /shape \[-1\] is not valid/],
  ["control characters in a name", [spec("a\n", 1)], /control characters/],
])("%s is refused before anything is written", (_, specs, rule) => {
  expect(() => layoutFile(specs)).toThrow(rule);
});

test("an output without tensors is refused", () => {
  expect(() => planOutputFiles([], 100)).toThrow(/no tensor/);
});
