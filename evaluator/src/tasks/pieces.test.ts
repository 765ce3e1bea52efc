import fc from "fast-check";
import { expect, test } from "vitest";
import { itemsOfPart, WHOLE } from "./pieces.ts";

test("parts that follow each other have every item once, in the file's order, and the first is never empty", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 16 }), fc.nat(16), (items, pieces, cut) => {
      const middle = Math.min(pieces, cut);
      const parts = [
        itemsOfPart(items, { pieces, first: 0, end: middle }),
        itemsOfPart(items, { pieces, first: middle, end: pieces }),
      ];
      for (const part of parts) expect(part).toEqual(part.toSorted((a, b) => a - b));
      expect(parts.flat().toSorted((a, b) => a - b)).toEqual(itemsOfPart(items, WHOLE));
      expect(itemsOfPart(items, { pieces, first: 0, end: 1 }).length).toBeGreaterThan(0);
    }),
  );
});

test("a piece of a file sorted by label has about its share of each label", () => {
  const labels = Array.from({ length: 800 }, (_, item) => Math.floor(item / 200));
  const piece = itemsOfPart(800, { pieces: 8, first: 0, end: 1 });
  expect(piece).toHaveLength(100);
  for (const label of [0, 1, 2, 3]) {
    expect(piece.filter((item) => labels[item] === label).length).toBeGreaterThan(12);
  }
});
