import fc from "fast-check";
import { test } from "vitest";
import { checkGradients } from "../../../testing/gradient-check.ts";
import { int } from "../../attributes.ts";

test("Slice with any start, end and stride along any axis", async () => {
  const slices = fc.record({
    axis: fc.constantFrom(-1, -2, -3),
    start: fc.integer({ min: -7, max: 7 }),
    end: fc.integer({ min: -7, max: 7 }),
    stride: fc.constantFrom(1, 1, 2, 3, -1, -2),
  });
  /** Places that Python's slice of five elements takes. */
  const taken = ({ start, end, stride }: { start: number; end: number; stride: number }): number => {
    const clamp = (at: number): number =>
      stride > 0 ? Math.min(Math.max(at < 0 ? at + 5 : at, 0), 5) : Math.min(Math.max(at < 0 ? at + 5 : at, -1), 4);
    return Math.max(0, Math.ceil((clamp(end) - clamp(start)) / stride));
  };
  await fc.assert(
    fc.asyncProperty(
      slices.filter((slice) => taken(slice) > 0),
      async ({ axis, start, end, stride }) => {
        const shape = [2, 1, 2].with(axis, 5);
        await checkGradients({
          shape,
          build: (g, x) => g.op("Slice", [x, g.int64s(start), g.int64s(end), g.int64s(axis), g.int64s(stride)]),
        });
      },
    ),
    { numRuns: 15 },
  );
});

test("Slice with computed bounds along several axes", async () => {
  await checkGradients({
    shape: [3, 4],
    weights: [[2, 2]],
    build: (g, x, [w]) => {
      const two = g.op("Shape", [w!]);
      const starts = g.op("Sub", [two, g.int64s(4, 1)]);
      const ends = g.op("Add", [two, g.int64s(7, 1)]);
      return g.op("Mul", [w!, g.op("Slice", [x, starts, ends, g.int64s(-2, -1)])]);
    },
  });
});

test("Concat of values and parameters", async () => {
  await checkGradients({ shape: [2, 3], build: (g, x) => g.op("Concat", [x, g.op("Exp", [x]), x], { axis: int(-2) }) });
  await checkGradients({
    shape: [2, 3],
    weights: [[2, 1]],
    build: (g, x, [w]) => g.op("Concat", [x, w!], { axis: int(-1) }),
    through: "parameters",
  });
});

test("Split, with an output that nobody reads", async () => {
  await checkGradients({
    shape: [2, 6],
    build: (g, x) => {
      const [a, , c] = g.ops("Split", [x, g.int64s(1, 3, 2)], 3, { axis: int(-1) });
      return g.op("Mul", [g.op("Exp", [a!]), c!]);
    },
  });
  await checkGradients({
    shape: [2, 4],
    build: (g, x) => {
      const [a, b] = g.ops("Split", [x], 2, { axis: int(-1), num_outputs: int(2) });
      return g.op("Mul", [a!, b!]);
    },
  });
});

test("Pad", async () => {
  await checkGradients({
    shape: [2, 3],
    build: (g, x) => g.op("Pad", [x, g.int64s(1, 0, -1, 2), g.floats([], [0.5]), g.int64s(-1, -2)]),
  });
  await checkGradients({
    shape: [2, 3],
    build: (g, x) => g.op("Pad", [x, g.int64s(0, 0, 1, 0, 2, 0)]),
    through: "items",
  });
});

test.each([0, 1])("Trilu with upper %i", async (upper) => {
  await checkGradients({ shape: [3, 3], build: (g, x) => g.op("Trilu", [x, g.int64(1)], { upper: int(upper) }) });
});

test("Gather at one place, along any axis", async () => {
  for (const [axis, place] of [
    [-1, 2],
    [-2, -1],
    [-2, 0],
  ] as const) {
    await checkGradients({ shape: [2, 3], build: (g, x) => g.op("Gather", [x, g.int64(place)], { axis: int(axis) }) });
    await checkGradients({ shape: [2, 3], build: (g, x) => g.op("Gather", [x, g.int64s(place)], { axis: int(axis) }) });
  }
});

test("Gather at several places, some of them more than once", async () => {
  for (const axis of [-1, -2, -3]) {
    await checkGradients({
      shape: [3, 4, 3],
      build: (g, x) =>
        g.op("Gather", [x, g.op("Unsqueeze", [g.int64s(2, 0, 2, -1), g.int64s(1)])], { axis: int(axis) }),
    });
  }
});

test("GatherElements", async () => {
  await checkGradients({
    shape: [2, 3],
    build: (g, x) => {
      const ids = g.op("Mul", [g.op("Cast", [x], { to: int(7) }), g.int64s(0)]);
      return g.op("GatherElements", [x, g.op("Add", [ids, g.int64s(2, 0, 2)])], { axis: int(-1) });
    },
  });
});
