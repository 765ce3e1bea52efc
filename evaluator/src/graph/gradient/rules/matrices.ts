/** Products of matrices. */

import { int } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Shaped } from "../layout.ts";
import type { Rules } from "../rule.ts";
import type { Step } from "../step.ts";
import type { Matrix } from "../tape.ts";

export const matrices: Rules = {
  MatMul: [
    (step) => {
      const gradient = step.tape.product(gradientOf(step), step.tape.transposed(matrix(step, 1)));
      return step.layout.sumTo(gradient.value, factor(step, 0), step.x(0));
    },
    (step) => {
      const { folded, rows, gradients, single } = rowsOf(step, matrix(step, 0), gradientOf(step));
      const gradient = step.tape.product(step.tape.transposed(rows), gradients, single).value;
      return folded ? gradient : step.layout.sumTo(gradient, factor(step, 1), step.x(1));
    },
  ],
  Gemm: [
    (step) => {
      const { a, b, product } = gemm(step);
      const gradient = step.tape.product(
        product,
        b.transposed ? matrix(step, 1) : step.tape.transposed(matrix(step, 1)),
      );
      return (a.transposed ? step.tape.transposed(gradient) : gradient).value;
    },
    (step) => {
      const { a, b, product } = gemm(step);
      const { rows, gradients, single } = rowsOf(step, matrix(step, 0), product);
      const gradient = step.tape.product(a.transposed ? rows : step.tape.transposed(rows), gradients, single);
      return (b.transposed ? step.tape.transposed(gradient) : gradient).value;
    },
    (step) => step.sumTo(step.scaled(step.dy, step.float("beta", 1)), 2),
  ],
};

function matrix(step: Step, input: number): Matrix {
  const value = step.x(input);
  const rank = step.rank(value);
  if (rank < 2) throw step.error("a product with a vector cannot be differentiated; give the vector a second axis");
  if (input === 1 && rank === 2 && step.layout.perItem && step.hasItems(value)) {
    throw step.error("sums over the items, so their gradients cannot be kept apart");
  }
  return { value, rank };
}

function gradientOf(step: Step): Matrix {
  const y = step.shaped(step.y());
  return { value: step.dy, rank: y.dims.length + step.layout.lead(y) };
}

/** What the gradient of a factor lies like before the broadcasting of stacks is undone: the product's stack of the factor's matrices. */
function factor(step: Step, input: number): Shaped {
  const { dims, hasItems } = step.shaped(step.y());
  return { dims: [...dims.slice(0, -2), ...step.dims(step.x(input)).slice(-2)], hasItems };
}

interface FactorRows {
  readonly rows: Matrix;
  readonly gradients: Matrix;
  /** Whether the product of the two, `rows` transposed, is the factor's gradient already. */
  readonly folded: boolean;
  /** Whether each item has one row. */
  readonly single: boolean;
}

/**
 * The rows that a matrix multiplied and what comes back to them. If the matrix served a whole stack, all rows become one matrix, or those of each item where
 * items are kept apart: the sum over the stack is then part of the product.
 */
function rowsOf(step: Step, rows: Matrix, gradients: Matrix): FactorRows {
  const { perItem } = step.layout;
  const sizes = perItem ? [0, -1] : [-1];
  const folded = step.rank(step.x(1)) === 2 && (step.hasItems(step.y()) || !perItem);
  if (!folded) return { rows, gradients, folded, single: false };
  const rank = sizes.length + 1;
  const fold = (matrix: Matrix, columns: Value): Matrix => {
    if (matrix.rank === rank) return matrix;
    const shape = step.with({ axis: int(0) }, "Concat", step.tape.int64s(...sizes), columns);
    return { value: step.op("Reshape", matrix.value, shape), rank };
  };
  return {
    rows: fold(rows, step.size(rows.value, -1)),
    gradients: fold(gradients, step.size(step.y(), -1)),
    folded,
    single:
      perItem &&
      step
        .dims(step.y())
        .slice(1, -1)
        .every((dim) => dim === 1),
  };
}

interface Gemm {
  readonly a: { readonly transposed: boolean };
  readonly b: { readonly transposed: boolean };
  /** What reaches the product of the two. */
  readonly product: Matrix;
}

function gemm(step: Step): Gemm {
  const a = { transposed: step.int("transA", 0) !== 0 };
  const b = { transposed: step.int("transB", 0) !== 0 };
  if (a.transposed && step.layout.perItem && step.hasItems(step.x(0))) {
    throw step.error("has the items as columns, so their gradients cannot be kept apart");
  }
  const { value, rank } = gradientOf(step);
  return { a, b, product: { value: step.scaled(value, step.float("alpha", 1)), rank } };
}
