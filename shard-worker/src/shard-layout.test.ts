import { type Shard, ShardSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { inputRanges, layOutShard, windowElements } from "./shard-layout.ts";
import { joinRanges } from "./stream-inputs.ts";

const dtypes = ["F32", "BF16", "F64", "F8_E4M3"];

const shards: fc.Arbitrary<Shard> = fc
  .array(
    fc.record({
      elements: fc.integer({ min: 0, max: 5_000 }),
      inputs: fc.array(
        fc.record({ dtype: fc.constantFrom(...dtypes, ""), gap: fc.integer({ min: 0, max: 200_000 }) }),
        {
          minLength: 3,
          maxLength: 3,
        },
      ),
    }),
    { maxLength: 8 },
  )
  .map((specs) => {
    const ends = [0, 0, 0];
    const segments = specs.map(({ elements, inputs }, i) => ({
      tensor: `t${i}`,
      shape: [BigInt(elements)],
      elements: BigInt(elements),
      outputDtype: "BF16",
      inputs: inputs.map(({ dtype, gap }, file) => {
        const offset = ends[file]! + gap;
        ends[file] = offset + elements * 8;
        return { file, dtype, offset: BigInt(offset) };
      }),
    }));
    return create(ShardSchema, { index: 0, segments });
  });

test("inputs, window and work area never overlap and are aligned", () => {
  fc.assert(
    fc.property(shards, (shard) => {
      const layout = layOutShard(shard, "all", false);
      const ranges = inputRanges(layout, new Set([0, 1, 2])).sort((a, b) => a.address - b.address || a.bytes - b.bytes);
      let end = 1;
      for (const { address, bytes } of ranges) {
        expect(address % 16).toBe(0);
        expect(address).toBeGreaterThanOrEqual(end);
        end = address + bytes;
      }
      expect(layout.windowAddress).toBeGreaterThanOrEqual(end);
      const windows = layout.segments.map((segment) => windowElements(segment) * 2);
      expect(layout.scratchAddress - layout.windowAddress).toBeGreaterThanOrEqual(Math.max(0, ...windows));
      expect(layout.inputBytes).toBe(ranges.reduce((sum, { bytes }) => sum + bytes, 0));
    }),
  );
});

test("the places of merged bytes overlap neither each other nor anything else", () => {
  fc.assert(
    fc.property(shards, (shard) => {
      const layout = layOutShard(shard, "all", true);
      const inputs = inputRanges(layout, new Set([0, 1, 2]));
      const outputs = layout.segments
        .filter(({ copySlot }) => copySlot === undefined)
        .map(({ outputAddress, outputBytes }) => ({ address: outputAddress!, bytes: outputBytes }));
      let end = 1;
      for (const { address, bytes } of [...inputs, ...outputs].sort(
        (a, b) => a.address - b.address || a.bytes - b.bytes,
      )) {
        expect(address % 16).toBe(0);
        expect(address).toBeGreaterThanOrEqual(end);
        end = address + bytes;
      }
      expect(layout.scratchAddress).toBeGreaterThanOrEqual(end);
    }),
  );
});

test("joined ranges ask for every byte wanted, in order, and for little else", () => {
  fc.assert(
    fc.property(shards, (shard) => {
      const ranges = inputRanges(layOutShard(shard, "all", false), new Set([0, 1, 2]));
      const spans = joinRanges(ranges);
      expect(spans.flatMap((span) => span.ranges)).toEqual(ranges);
      for (const { file, offset, bytes, ranges: inside } of spans) {
        let end = offset;
        for (const range of inside) {
          expect(range.file).toBe(file);
          expect(range.offset - end).toBeLessThanOrEqual(64 * 1024);
          end = Math.max(end, range.offset + range.bytes);
        }
        expect(end).toBe(offset + bytes);
      }
    }),
  );
});

test("slots that are not wanted get no room, but a copied tensor keeps its own", () => {
  const slice = (file: number) => ({ file, offset: 0n, dtype: "F32" });
  const segment = { shape: [4n], elements: 4n, inputs: [slice(0), slice(1)], outputDtype: "F32" };
  const shard = create(ShardSchema, {
    segments: [
      { ...segment, tensor: "merged" },
      { ...segment, tensor: "copied", copySlot: 0 },
    ],
  });
  const { segments, inputBytes } = layOutShard(shard, new Set([1]), false);
  expect(segments.map(({ inputs }) => inputs.map((input) => input?.file))).toEqual([
    [undefined, 1],
    [0, undefined],
  ]);
  expect(inputBytes).toBe(32);
});

test("a window is made of whole rows", () => {
  const plan = layOutShard(
    create(ShardSchema, {
      segments: [{ tensor: "t", shape: [1000n, 1000n], elements: 1_000_000n, outputDtype: "F32", inputs: [] }],
    }),
    "all",
    false,
  ).segments[0]!;
  expect(windowElements(plan) % 1000).toBe(0);
});

test("an unknown dtype is refused, naming the tensor", () => {
  const inputs = [{ file: 0, offset: 0n, dtype: "F4" }];
  const shard = create(ShardSchema, {
    segments: [{ tensor: "t", shape: [4n], elements: 4n, inputs, outputDtype: "F32" }],
  });
  expect(() => layOutShard(shard, "all", false)).toThrow('tensor "t": unknown dtype "F4"');
});
