import fc from "fast-check";
import { test } from "vitest";
import { checkGradients } from "../../../testing/gradient-check.ts";
import type { Attribute } from "../../attributes.ts";
import { float, int, string } from "../../attributes.ts";

type Attributes = Record<string, Attribute>;

const smooth: readonly (readonly [string, Attributes])[] = [
  ["Cos", {}],
  ["Erf", {}],
  ["Exp", {}],
  ["Gelu", {}],
  ["Gelu", { approximate: string("tanh") }],
  ["Identity", {}],
  ["Neg", {}],
  ["Sigmoid", {}],
  ["Sin", {}],
  ["Softplus", {}],
  ["Tanh", {}],
];

test.each(smooth)("%s %o", async (opType, attributes) => {
  await checkGradients({ shape: [2, 3], build: (g, x) => g.op(opType, [x], attributes) });
});

test.each(["Log", "Reciprocal", "Sqrt"])("%s of positive numbers", async (opType) => {
  await checkGradients({ shape: [2, 3], from: 0.8, to: 2, build: (g, x) => g.op(opType, [x]) });
});

const kinked: readonly (readonly [string, Attributes])[] = [
  ["Abs", {}],
  ["Elu", { alpha: float(0.7) }],
  ["HardSigmoid", {}],
  ["HardSwish", {}],
  ["LeakyRelu", { alpha: float(0.2) }],
  ["Relu", {}],
  ["Softsign", {}],
];

test.each(kinked)("%s %o", async (opType, attributes) => {
  await checkGradients({ shape: [2, 4], from: -4, to: 4, kinks: true, build: (g, x) => g.op(opType, [x], attributes) });
});

test("PRelu, with a slope for each channel", async () => {
  await checkGradients({
    shape: [2, 3],
    weights: [[3]],
    kinks: true,
    build: (g, x, [slope]) => g.op("PRelu", [x, slope!]),
  });
});

/** Sizes and how much of them the other operand has: some axes of size 1, some leading ones missing. */
const broadcast = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 3 }), one: fc.boolean() }), { minLength: 1, maxLength: 3 })
  .chain((axes) => fc.record({ axes: fc.constant(axes), missing: fc.nat(axes.length) }))
  .map(({ axes, missing }) => ({
    shape: axes.map(({ size }) => size),
    other: axes.slice(missing).map(({ size, one }) => (one ? 1 : size)),
  }));

test.each(["Add", "Sub", "Mul", "Sum", "Mean"])("%s undoes any broadcasting, of either operand", async (opType) => {
  await fc.assert(
    fc.asyncProperty(broadcast, fc.boolean(), async ({ shape, other }, swapped) => {
      await checkGradients({
        shape: swapped ? other : shape,
        weights: [swapped ? shape : other],
        build: (g, x, [w]) => g.op(opType, swapped ? [w!, x] : [x, w!]),
        // An operand with items keeps them on the same axis as the result only if it has all axes.
        through: swapped && other.length < shape.length ? "parameters" : "both",
      });
    }),
    { numRuns: 8 },
  );
});

test("Div and Pow, of positive numbers, undo broadcasting", async () => {
  for (const opType of ["Div", "Pow"]) {
    for (const [shape, other] of [
      [[2, 3], [3]],
      [
        [2, 3],
        [2, 1],
      ],
      [
        [1, 3],
        [2, 3],
      ],
    ] as const) {
      await checkGradients({ shape, weights: [other], from: 0.8, to: 2, build: (g, x, [w]) => g.op(opType, [x, w!]) });
    }
  }
});

test.each([2, 3, 0.5, -1])("Pow with the constant exponent %f", async (exponent) => {
  await checkGradients({ shape: [4], from: 0.8, to: 2, build: (g, x) => g.op("Pow", [x, g.floats([], [exponent])]) });
});

test("sizes that are known at run time only are compared when the graph runs", async () => {
  await checkGradients({
    shape: [2, 1],
    weights: [[3, 2, 3]],
    build: (g, x, [w]) => {
      // A product of sizes is beyond shape inference.
      const shape = g.op("Mul", [g.op("Shape", [w!], { start: int(1) }), g.op("Shape", [w!], { end: int(2) })]);
      const half = g.op("Div", [shape, g.int64s(3, 2)]);
      return g.op("Mul", [x, g.op("Reshape", [g.op("Slice", [w!, g.int64s(0), g.int64s(1)]), half])]);
    },
  });
});

test.each(["Max", "Min"])("%s of three", async (opType) => {
  const build = { build: (g, x, [a, b]) => g.op(opType, [x, a!, b!]) } satisfies Partial<
    Parameters<typeof checkGradients>[0]
  >;
  await checkGradients({ shape: [2, 3], weights: [[3], [2, 1]], kinks: true, ...build });
});

test("Clip", async () => {
  await checkGradients({
    shape: [8],
    kinks: true,
    build: (g, x) => g.op("Clip", [x, g.floats([], [-0.5]), g.floats([], [0.7])]),
  });
});

test("Where", async () => {
  await checkGradients({
    shape: [2, 3],
    weights: [[3]],
    build: (g, x, [w]) =>
      g.op("Where", [g.op("Less", [g.floats([2, 3], [0, 1, 0, 1, 0, 1]), g.floats([], [0.5])]), x, w!]),
  });
});

test("functions that are constant nearly everywhere give zeros, and no error", async () => {
  await checkGradients({
    shape: [6],
    kinks: true,
    build: (g, x) => g.op("Add", [x, g.op("Floor", [g.op("Round", [g.op("Sign", [x])])])]),
  });
});
