import { expect, test } from "vitest";
import { checkGradients } from "../../../testing/gradient-check.ts";
import { float, int, ints, string } from "../../attributes.ts";
import { GraphBuilder } from "../../builder.ts";
import { differentiate } from "../differentiate.ts";

test.each([
  [
    [2, 3],
    [3, 4],
  ],
  [[3], [3, 4]],
  [
    [2, 2, 3],
    [3, 2],
  ],
  [
    [2, 2, 3],
    [2, 3, 2],
  ],
  [
    [2, 2, 3],
    [1, 3, 2],
  ],
  [
    [2, 2, 3],
    [1, 1, 3, 2],
  ],
  [
    [2, 2, 3],
    [2, 1, 3, 2],
  ],
])("MatMul of %j for each item and a parameter %j", async (shape, weight) => {
  await checkGradients({
    shape,
    weights: [weight],
    build: (g, x, [w]) => g.op("MatMul", [x, w!]),
    through: shape.length === 1 ? "items" : weight[0] === 2 && weight.length === 4 ? "parameters" : "both",
  });
});

test("MatMul of a parameter and values of items", async () => {
  await checkGradients({ shape: [3, 2], weights: [[4, 3]], build: (g, x, [w]) => g.op("MatMul", [w!, x]) });
});

test("MatMul of two values of items, one of them transposed, as in attention", async () => {
  await checkGradients({
    shape: [2, 3, 2],
    weights: [[2, 3, 2]],
    build: (g, x, [w]) => {
      const key = g.op("Add", [x, w!]);
      const perm = ints(...Array.from({ length: 4 }, (_, axis) => [0, 1, 3, 2][axis]!));
      return g.op("MatMul", [x, g.op("Transpose", [key], { perm })]);
    },
    through: "items",
  });
});

test.each([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
])("Gemm with transA %i and transB %i", async (transA, transB) => {
  const attributes = { transA: int(transA), transB: int(transB), alpha: float(0.5), beta: float(2) };
  const weights = [transB ? [2, 3] : [3, 2], [2]];
  const build: Parameters<typeof checkGradients>[0]["build"] = (g, x, [w, c]) => g.op("Gemm", [x, w!, c!], attributes);
  if (!transA) await checkGradients({ shape: [3], weights, build, through: "items" });
  await checkGradients({ shape: transA ? [3, 4] : [4, 3], weights, build, through: "parameters" });
});

test.each([
  { equation: "iab,bc->iac", shape: [2, 3], weight: [3, 2] },
  { equation: "iab,iab->ia", shape: [2, 3], weight: [1, 2, 3] },
  { equation: "iabc,bcd->ida", shape: [2, 2, 3], weight: [2, 3, 2] },
])("Einsum $equation of values of items", async ({ equation, shape, weight }) => {
  await checkGradients({
    shape,
    weights: [weight],
    build: (g, x, [w]) => {
      const other = weight.length > shape.length ? g.op("Mul", [x, w!]) : w!;
      return g.op("Einsum", [x, other], { equation: string(equation) });
    },
    through: "items",
  });
});

test("Einsum of parameters", async () => {
  await checkGradients({
    shape: [2, 3],
    weights: [[3, 2], [2]],
    build: (g, x, [v, w]) => g.op("Einsum", [x, v!, w!], { equation: string("ab,bc,c->ca") }),
    through: "parameters",
  });
});

test("products that sum over the items are refused where gradients are kept apart, and only there", async () => {
  const g = new GraphBuilder("across");
  const x = g.op("Mul", [g.input("x", "float32", ["items", 3]), g.weight("w", [3])]);
  const output = g.op("MatMul", [g.op("Transpose", [x], { perm: ints(1, 0) }), x]);
  const cotangent = g.input("cotangent", "float32", [3, 3]);
  const wanted = { output, cotangent, wrt: ["w"] };
  await expect(differentiate(g, { ...wanted, reduction: "items" })).rejects.toThrow("sums over the items");
  await expect(differentiate(g, { ...wanted, reduction: "sum" })).resolves.toHaveProperty("size", 1);
});
