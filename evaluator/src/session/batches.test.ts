import fc from "fast-check";
import { expect, test } from "vitest";
import { feedsOf, makeBatches, scatterRows } from "./batches.ts";
import { float32, type TensorData } from "./program.ts";

const encoding = (length: number) => ({
  ids: Array.from({ length }, (_, i) => i + 1),
  types: Array.from({ length }, (_, i) => i % 2),
});
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 });
const limits = fc.record({ items: fc.integer({ min: 1, max: 20 }), tokens: fc.integer({ min: 1, max: 200 }) });

test("every item is in exactly one batch, padded with masked zeros, within the limits", () => {
  const property = fc.property(lengths, limits, (sizes, limit) => {
    const batches = makeBatches(sizes.map(encoding), limit);
    expect(batches.flatMap(({ items }) => items).sort((a, b) => a - b)).toEqual(sizes.map((_, i) => i));
    for (const batch of batches) {
      const { items, tokens } = batch;
      const dims = [items.length, tokens];
      const { input_ids: ids, attention_mask: mask, token_type_ids: types } = feedsOf(batch);
      expect([ids!.dims, mask!.dims, types!.dims]).toEqual([dims, dims, dims]);
      expect(items.length).toBeLessThanOrEqual(limit.items);
      if (items.length > 1) expect(items.length * tokens).toBeLessThanOrEqual(limit.tokens);
      items.forEach((item, row) => {
        const cut = (all: TensorData | undefined): number[] => [
          ...all!.data.subarray(row * tokens, (row + 1) * tokens),
        ];
        const padding = new Array(tokens - sizes[item]!).fill(0);
        expect(cut(ids)).toEqual([...encoding(sizes[item]!).ids, ...padding]);
        expect(cut(types)).toEqual([...encoding(sizes[item]!).types, ...padding]);
        expect(cut(mask)).toEqual([...new Array(sizes[item]).fill(1), ...padding]);
      });
    }
  });
  fc.assert(property);
});

test("batches go from short to long, equal lengths in the order of the items", () => {
  const batches = makeBatches([3, 1, 3, 2, 1].map(encoding), { items: 2, tokens: 100 });
  expect(batches.map(({ items }) => items)).toEqual([[1, 4], [3, 0], [2]]);
});

test("rows of logits return to the order of their items", () => {
  const property = fc.property(lengths, limits, (sizes, limit) => {
    const batches = makeBatches(sizes.map(encoding), limit);
    const outputs = batches.map(({ items }) =>
      float32([items.length, 2], Float32Array.from(items.flatMap((item) => [item, -item]))),
    );
    expect(scatterRows(batches, outputs).map((row) => [...row])).toEqual(sizes.map((_, i) => [i, -i]));
  });
  fc.assert(property);
});
