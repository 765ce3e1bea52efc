import { test } from "vitest";
import { checkGradients } from "../../../testing/gradient-check.ts";
import { int, ints } from "../../attributes.ts";

test.each([
  { image: [2, 4, 4], kernels: [3, 2, 2, 2], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1], group: 1 },
  { image: [2, 4, 5], kernels: [4, 1, 2, 3], strides: [1, 2], pads: [1, 0, 0, 1], dilations: [1, 1], group: 2 },
  { image: [1, 6, 5], kernels: [1, 1, 2, 2], strides: [3, 1], pads: [0, 1, 1, 0], dilations: [2, 2], group: 1 },
  { image: [2, 6], kernels: [2, 2, 3], strides: [2], pads: [1, 0], dilations: [1], group: 1 },
])("Conv of $image with kernels $kernels", async ({ image, kernels, strides, pads, dilations, group }) => {
  const attributes = {
    strides: ints(...strides),
    pads: ints(...pads),
    dilations: ints(...dilations),
    group: int(group),
  };
  await checkGradients({
    shape: image,
    weights: [kernels, [kernels[0]!]],
    build: (g, x, [w, b]) => g.op("Conv", [x, w!, b!], attributes),
    through: "items",
  });
});

test.each([
  ["AveragePool", { count_include_pad: int(0) }],
  ["AveragePool", { count_include_pad: int(1) }],
  ["MaxPool", {}],
] as const)("%s %o", async (opType, more) => {
  const attributes = { kernel_shape: ints(2, 3), strides: ints(2, 1), pads: ints(1, 0, 0, 1), ...more };
  await checkGradients({
    shape: [2, 4, 4],
    from: -3,
    to: 3,
    kinks: opType === "MaxPool",
    build: (g, x) => g.op(opType, [x], attributes),
    through: "items",
  });
});

test.each(["GlobalAveragePool", "GlobalMaxPool"])("%s", async (opType) => {
  await checkGradients({
    shape: [2, 3, 2],
    seed: 5,
    kinks: true,
    build: (g, x) => g.op(opType, [x]),
    through: "items",
  });
});
