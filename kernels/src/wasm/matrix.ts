// Kernels that make inputs before a merge reads them: conversion between float dtypes, sums, and the product of an adapter's
// factors added to a row. Each is a module of its own; its parameters are 32-bit words in the block.
import { type DTypeName, dtypeBytes } from "../dtype.ts";
import { BLOCK, COUNT, KernelFunction, type Local } from "./function.ts";
import { loadLanes, storeLanes } from "./lanes.ts";
import { I32, OP, SIMD, V128, VOID } from "./opcodes.ts";

/** Bytes of the block that every kernel here takes its parameters from. */
export const MATRIX_BLOCK_BYTES = 32;

/** `[source, target]`: elements one after another, forwards, so that the target may overlap what was read. Multiples of four. */
export function emitConversion(from: DTypeName, to: DTypeName): Uint8Array {
  const f = new KernelFunction();
  const [source, target] = words(f, 2) as [Local, Local];
  loop(f, COUNT, 4, () => {
    loadLanes(f, from, source);
    const value = f.keep();
    storeLanes(f, to, [from], target, value);
    advance(f, source, 4 * dtypeBytes(from));
    advance(f, target, 4 * dtypeBytes(to));
  });
  return f.i32(0).module();
}

/** `[source, target]`, float32: target += source. Multiples of four. */
export function emitAddition(): Uint8Array {
  const f = new KernelFunction();
  const [source, target] = words(f, 2) as [Local, Local];
  loop(f, COUNT, 4, () => {
    f.get(target).get(target).memory(SIMD.load, 0).get(source).memory(SIMD.load, 0);
    f.simd(SIMD.f32x4Add).memory(SIMD.store, 0);
    advance(f, source, 16);
    advance(f, target, 16);
  });
  return f.i32(0).module();
}

/** `[target, divisor as float32]`: target /= divisor. Multiples of four. */
export function emitDivision(): Uint8Array {
  const f = new KernelFunction();
  const [target] = words(f, 1) as [Local];
  const divisor = f.get(BLOCK).memory(SIMD.load32Splat, 4).keep();
  loop(f, COUNT, 4, () => {
    f.get(target).get(target).memory(SIMD.load, 0).get(divisor).simd(SIMD.f32x4Div).memory(SIMD.store, 0);
    advance(f, target, 16);
  });
  return f.i32(0).module();
}

/**
 * `[target, left, right, rank, bytes from one row of right to the next, scale as float32]`: target[j] += scale * sum over k of left[k] * right[k][j],
 * float32, each product and sum rounded, k ascending. Multiples of four times `vectors`, which are columns computed together.
 */
export function emitLowRank(vectors: number): Uint8Array {
  const f = new KernelFunction();
  const [target, left, right, rank, stride] = words(f, 5) as [Local, Local, Local, Local, Local];
  const scale = f.get(BLOCK).memory(SIMD.load32Splat, 20).keep();
  const sums = Array.from({ length: vectors }, () => f.local(V128));
  const [factor, k, leftAt, rightAt] = [f.local(V128), f.local(I32), f.local(I32), f.local(I32)];
  loop(f, COUNT, 4 * vectors, () => {
    for (const sum of sums) f.splat(0).set(sum);
    f.get(left).set(leftAt).get(right).set(rightAt).get(rank).set(k);
    loop(f, k, 1, () => {
      f.get(leftAt).memory(SIMD.load32Splat, 0).set(factor);
      sums.forEach((sum, i) => {
        f.get(rightAt).memory(SIMD.load, 16 * i);
        f.get(factor).simd(SIMD.f32x4Mul).get(sum).simd(SIMD.f32x4Add).set(sum);
      });
      advance(f, leftAt, 4);
      f.get(rightAt).get(stride).op(OP.i32Add).set(rightAt);
    });
    sums.forEach((sum, i) => {
      f.get(target)
        .get(target)
        .memory(SIMD.load, 16 * i);
      f.get(sum).get(scale).simd(SIMD.f32x4Mul).simd(SIMD.f32x4Add);
      f.memory(SIMD.store, 16 * i);
    });
    advance(f, target, 16 * vectors);
    advance(f, right, 16 * vectors);
  });
  return f.i32(0).module();
}

/** The first words of the block, in locals. */
const words = (f: KernelFunction, count: number): Local[] =>
  Array.from({ length: count }, (_, i) => {
    const local = f.local(I32);
    f.get(BLOCK)
      .op(OP.i32Load, 0, 4 * i)
      .set(local);
    return local;
  });

const advance = (f: KernelFunction, pointer: Local, bytes: number): void => {
  f.get(pointer).i32(bytes).op(OP.i32Add).set(pointer);
};

/** Runs the body while `counter`, a multiple of `step`, is not zero. */
function loop(f: KernelFunction, counter: Local, step: number, body: () => void): void {
  f.op(OP.block, VOID).get(counter).op(OP.i32Eqz).op(OP.brIf, 0).op(OP.loop, VOID);
  body();
  f.get(counter).i32(step).op(OP.i32Sub).tee(counter).op(OP.brIf, 0).op(OP.end).op(OP.end);
}
