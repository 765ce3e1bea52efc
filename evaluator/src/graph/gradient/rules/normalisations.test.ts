import { test } from "vitest";
import { checkGradients } from "../../../testing/gradient-check.ts";
import { float, int } from "../../attributes.ts";

test.each([
  ["Softmax", -1],
  ["Softmax", -2],
  ["LogSoftmax", -1],
  ["LogSoftmax", -2],
] as const)("%s along axis %i", async (opType, axis) => {
  await checkGradients({ shape: [3, 4], build: (g, x) => g.op(opType, [x], { axis: int(axis) }) });
});

test.each([
  [-1, [4]],
  [-2, [3, 4]],
])("LayerNormalization from axis %i on", async (axis, sizes) => {
  await checkGradients({
    shape: [3, 4],
    weights: [sizes, sizes],
    build: (g, x, [scale, bias]) =>
      g.op("LayerNormalization", [x, scale!, bias!], { axis: int(axis), epsilon: float(1e-3) }),
  });
});

test("LayerNormalization without a bias", async () => {
  await checkGradients({
    shape: [2, 4],
    weights: [[4]],
    build: (g, x, [scale]) => g.op("LayerNormalization", [x, scale!]),
  });
});

test("root mean square normalisation, in its parts", async () => {
  await checkGradients({
    shape: [2, 4],
    weights: [[4]],
    build: (g, x, [scale]) => {
      const mean = g.op("ReduceMean", [g.op("Mul", [x, x]), g.int64s(-1)], { keepdims: int(1) });
      const size = g.op("Sqrt", [g.op("Add", [mean, g.floats([], [0.1])])]);
      return g.op("Mul", [g.op("Div", [x, size]), scale!]);
    },
  });
});

test.each([[[3]], [[3, 4]], [[3, 2, 2]]])("BatchNormalization in inference of items %j", async (shape) => {
  await checkGradients({
    shape,
    weights: [[3], [3], [3], [3]],
    from: 0.5,
    to: 1.5,
    build: (g, x, [scale, bias, mean, variance]) =>
      g.op("BatchNormalization", [x, scale!, bias!, mean!, variance!], { epsilon: float(0.1) }),
    through: "items",
  });
});
