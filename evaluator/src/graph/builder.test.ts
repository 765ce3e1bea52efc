import { expect, test } from "vitest";
import { GraphBuilder } from "./builder.ts";

test("a weight declared twice is one input, and must keep its shape", () => {
  const g = new GraphBuilder("tied");
  expect(g.weight("embeddings", [4, 2])).toBe(g.weight("embeddings", [4, 2]));
  expect(() => g.weight("embeddings", [2, 4])).toThrow("weight embeddings is declared as [4,2] and as [2,4]");
  expect(g.build().model.graph!.input).toHaveLength(1);
});

test("equal constants are stored once, constants of another type or shape are not equal", () => {
  const g = new GraphBuilder("constants");
  expect(g.int64s(1, 2)).toBe(g.int64s(1, 2));
  expect(g.floats([1], [0])).not.toBe(g.floats([], [0]));
  expect(g.floats([2], [0, 0])).not.toBe(g.int64s(0));
  expect(g.build().model.graph!.initializer).toHaveLength(5);
});
