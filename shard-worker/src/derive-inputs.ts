// Makes derived inputs of what was read: runs the steps of a shard's layout, in a compute thread.
import { createMatrixKernels, type MatrixKernels, type SharedMemory } from "@amalgam/kernels";
import type { DeriveStep } from "./derived-layout.ts";
import type { ShardLayout } from "./shard-layout.ts";

/**
 * Derives the inputs of these slots, whose ranges have been read just now. Once only: it works in place.
 * @param checkpoint called between inputs; throws when the lease was cancelled
 */
export function deriveInputs(
  memory: SharedMemory,
  layout: ShardLayout,
  slots: ReadonlySet<number>,
  checkpoint: () => void,
): void {
  const kernels = createMatrixKernels(memory, layout.matrixBlockAddress);
  for (const { inputs } of layout.segments) {
    inputs.forEach((input, slot) => {
      if (input === undefined || input.steps.length === 0 || !slots.has(slot)) return;
      for (const step of input.steps) runStep(memory, kernels, step);
      checkpoint();
    });
  }
}

function runStep(memory: SharedMemory, kernels: MatrixKernels, step: DeriveStep): void {
  switch (step.kind) {
    case "zero":
      new Uint8Array(memory.buffer, step.address, step.bytes).fill(0);
      return;
    case "convert":
      kernels.convert(step.from, step.source, step.to, step.target, step.elements);
      return;
    case "transpose":
      transpose(new Float32Array(memory.buffer, step.address, step.rows * step.columns), step.rows, step.columns);
      return;
    case "product":
      addProduct(kernels, step);
      return;
    case "add":
      kernels.add(step.source, step.target, step.elements);
      return;
    case "divide":
      kernels.divide(step.target, step.elements, step.divisor);
      return;
    case "repeat":
      repeat(memory, step);
      return;
    default:
      step satisfies never;
  }
}

function transpose(matrix: Float32Array, rows: number, columns: number): void {
  const copy = matrix.slice();
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) matrix[column * rows + row] = copy[row * columns + column]!;
  }
}

function addProduct(kernels: MatrixKernels, step: DeriveStep & { kind: "product" }): void {
  const { elements, rowElements, rank, scale } = step;
  let column = step.firstColumn;
  let left = step.left;
  for (let done = 0; done < elements; left += 4 * rank) {
    const count = Math.min(rowElements - column, elements - done);
    const target = step.target + 4 * done;
    const right = step.right + 4 * column;
    kernels.addLowRank({ target, elements: count, left, right, rank, rightRowBytes: 4 * rowElements, scale });
    done += count;
    column = 0;
  }
}

function repeat(memory: SharedMemory, step: DeriveStep & { kind: "repeat" }): void {
  const row = new Float32Array(memory.buffer, step.source, step.rowElements);
  const target = new Float32Array(memory.buffer, step.target, step.elements);
  let column = step.firstColumn;
  for (let done = 0; done < target.length; column = 0) {
    const count = Math.min(row.length - column, target.length - done);
    target.set(row.subarray(column, column + count), done);
    done += count;
  }
}
