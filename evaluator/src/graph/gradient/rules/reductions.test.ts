import fc from "fast-check";
import { expect, test } from "vitest";
import { checkGradients } from "../../../testing/gradient-check.ts";
import { int } from "../../attributes.ts";
import { GraphBuilder } from "../../builder.ts";
import { differentiate } from "../differentiate.ts";

/** Sizes, and some of the axes counted from the last. */
const reduced = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 3 }), chosen: fc.boolean() }), { minLength: 1, maxLength: 3 })
  .filter((axes) => axes.some(({ chosen }) => chosen))
  .map((axes) => ({
    shape: axes.map(({ size }) => size),
    axes: axes.flatMap(({ chosen }, i) => (chosen ? [i - axes.length] : [])),
  }));

test.each(["ReduceSum", "ReduceMean", "ReduceLogSumExp", "ReduceSumSquare"])("%s over any axes", async (opType) => {
  await fc.assert(
    fc.asyncProperty(reduced, fc.boolean(), async ({ shape, axes }, keepdims) => {
      await checkGradients({
        shape,
        build: (g, x) => g.op(opType, [x, g.int64s(...axes)], { keepdims: int(Number(keepdims)) }),
      });
    }),
    { numRuns: 8 },
  );
});

test.each(["ReduceL1", "ReduceL2", "ReduceLogSum"])("%s of positive numbers", async (opType) => {
  await checkGradients({ shape: [2, 3], from: 0.8, to: 2, build: (g, x) => g.op(opType, [x, g.int64s(-1)]) });
});

test.each(["ReduceMax", "ReduceMin"])("%s", async (opType) => {
  await checkGradients({
    shape: [2, 4],
    kinks: true,
    build: (g, x) => g.op(opType, [x, g.int64s(-1)], { keepdims: int(0) }),
  });
});

test.each([
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
])("CumSum with exclusive %i and reverse %i", async (exclusive, reverse) => {
  const attributes = { exclusive: int(exclusive), reverse: int(reverse) };
  await checkGradients({ shape: [2, 4], build: (g, x) => g.op("CumSum", [x, g.int64(-1)], attributes) });
});

test("a sum over the items is refused where gradients are kept apart", async () => {
  const g = new GraphBuilder("across");
  const x = g.op("Mul", [g.input("x", "float32", ["items", 3]), g.weight("w", [3])]);
  const output = g.op("ReduceMean", [x, g.int64s(0)], { keepdims: int(0) });
  const wanted = { output, cotangent: g.input("cotangent", "float32", [3]), wrt: ["w"], reduction: "squares" } as const;
  await expect(differentiate(g, wanted)).rejects.toThrow(
    "ReduceMean ReduceMean_1: works along axis 0, so the gradients of items cannot be kept apart",
  );
});
