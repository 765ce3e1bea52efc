import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { TensorProto_DataType as DataType, TensorProtoSchema } from "onnx-buf";
import { expect, test } from "vitest";
import { checkGradients } from "../../../testing/gradient-check.ts";
import { int, ints } from "../../attributes.ts";
import { GraphBuilder, type Value } from "../../builder.ts";
import { differentiate } from "../differentiate.ts";

test("Reshape, to fixed and to computed sizes", async () => {
  await checkGradients({
    shape: [2, 6],
    build: (g, x) => g.op("Reshape", [x, g.int64s(0, -1, 3, 2)]),
    through: "items",
  });
  await checkGradients({ shape: [2, 6], build: (g, x) => g.op("Reshape", [x, g.int64s(3, 4)]), through: "parameters" });
  await checkGradients({
    shape: [2, 6],
    weights: [[4, 1]],
    build: (g, x, [w]) => {
      const sizes = g.op("Concat", [g.op("Shape", [x], { end: int(1) }), g.int64s(-1), g.op("Shape", [w!])], {
        axis: int(0),
      });
      return g.op("Mul", [g.op("Reshape", [x, sizes]), w!]);
    },
    through: "items",
  });
});

test("Unsqueeze, Squeeze and Flatten", async () => {
  await checkGradients({ shape: [2, 3], build: (g, x) => g.op("Unsqueeze", [x, g.int64s(-1, -3)]) });
  await checkGradients({ shape: [2, 1, 3, 1], build: (g, x) => g.op("Squeeze", [x, g.int64s(-1, -3)]) });
  await checkGradients({ shape: [2, 3], build: (g, x) => g.op("Flatten", [x], { axis: int(1) }) });
});

test("Transpose by any order that keeps the items first", async () => {
  const orders = fc.integer({ min: 1, max: 4 }).chain((rank) => {
    const axes = Array.from({ length: rank }, (_, i) => i);
    return fc.shuffledSubarray(axes, { minLength: rank });
  });
  await fc.assert(
    fc.asyncProperty(orders, async (order) => {
      const shape = order.map((_, i) => [2, 3, 1, 2][i]!);
      const items = ints(0, ...order.map((axis) => axis + 1));
      await checkGradients({ shape, build: (g, x) => g.op("Transpose", [x], { perm: items }), through: "items" });
      const perm = ints(...order);
      await checkGradients({ shape, build: (g, x) => g.op("Transpose", [x], { perm }), through: "parameters" });
    }),
    { numRuns: 10 },
  );
});

test("Transpose without an order reverses the axes", async () => {
  await checkGradients({ shape: [2, 3], build: (g, x) => g.op("Transpose", [x]), through: "parameters" });
});

test("a Transpose that moves the items is refused where gradients are kept apart", async () => {
  const g = new GraphBuilder("across");
  const x = g.op("Mul", [g.input("x", "float32", ["items", 3]), g.weight("w", [3])]);
  const output = g.op("Transpose", [x], { perm: ints(1, 0) });
  const wanted = {
    output,
    cotangent: g.input("cotangent", "float32", [3, "items"]),
    wrt: ["w"],
    reduction: "items",
  } as const;
  await expect(differentiate(g, wanted)).rejects.toThrow("moves the items away from axis 0");
});

test("Expand of values and of parameters, to the items too", async () => {
  await checkGradients({ shape: [1, 3], build: (g, x) => g.op("Expand", [x, g.int64s(2, 3)]) });
  await checkGradients({
    shape: [2, 3],
    weights: [[1, 3]],
    build: (g, x, [token]) => {
      const items = g.op("Concat", [g.op("Shape", [x], { end: int(1) }), g.int64s(1, 3)], { axis: int(0) });
      return g.op("Concat", [g.op("Expand", [token!, items]), x], { axis: int(1) });
    },
    through: "items",
  });
});

test("Tile", async () => {
  await checkGradients({ shape: [2, 3], build: (g, x) => g.op("Tile", [x, g.int64s(1, 2, 3)]), through: "items" });
  await checkGradients({ shape: [2, 3], build: (g, x) => g.op("Tile", [x, g.int64s(2, 1)]), through: "parameters" });
});

test("Dropout does nothing, and is refused in training", async () => {
  await checkGradients({ shape: [2, 3], build: (g, x) => g.op("Dropout", [x]) });
  const dropped = (training: number): GraphBuilder => {
    const g = new GraphBuilder("dropped");
    const [type, int32Data] = [DataType.BOOL, [training]];
    g.build().model.graph!.initializer.push(create(TensorProtoSchema, { name: "training", dataType: type, int32Data }));
    const x = g.op("Mul", [g.input("x", "float32", ["items", 3]), g.weight("w", [3])]);
    g.op("Dropout", [x, g.floats([], [0.5]), "training" as Value]);
    return g;
  };
  const wanted = { output: "Dropout_1" as Value, wrt: ["w"], reduction: "sum" } as const;
  const gradients = (g: GraphBuilder): Promise<unknown> =>
    differentiate(g, { ...wanted, cotangent: g.input("cotangent", "float32", ["items", 3]) });
  await expect(gradients(dropped(0))).resolves.toHaveProperty("size", 1);
  await expect(gradients(dropped(1))).rejects.toThrow("in training mode it cannot be differentiated");
});
