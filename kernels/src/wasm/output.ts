// The output pass: stores the merged values, rounded once, and notices what is not finite.
import type { DTypeName } from "../dtype.ts";
import { dtypeBytes } from "../dtype.ts";
import { FLAG_INPUT_NOT_FINITE, FLAG_OUTPUT_NOT_FINITE } from "../types.ts";
import type { KernelFunction, Local } from "./function.ts";
import type { Sink } from "./kernel.ts";
import { overflowFrom, storeLanes } from "./lanes.ts";
import { OP, SIMD, V128 } from "./opcodes.ts";

export function outputSink(dtype: DTypeName, inputDtypes: readonly DTypeName[]): Sink {
  let inputs: Local | undefined;
  let outputs: Local | undefined;
  const or = (f: KernelFunction, into: Local): void => {
    f.get(into).simd(SIMD.or).set(into);
  };
  return {
    outputBytes: dtypeBytes(dtype),
    observe: (f, lanes) => {
      inputs ??= f.local(V128);
      // x - x is +0, all bits clear, for every finite x and NaN for everything else.
      f.get(lanes).get(lanes).simd(SIMD.f32x4Sub);
      or(f, inputs);
    },
    body: (f, [value], { output: pointer }) => {
      outputs ??= f.local(V128);
      if (dtype === "F32" || dtype === "F64") f.get(value!).get(value!).simd(SIMD.f32x4Sub);
      else
        f.get(value!)
          .splatBits(0x7fffffff)
          .simd(SIMD.and)
          .splatBits(overflowFrom(dtype) - 1)
          .simd(SIMD.i32x4GtS);
      or(f, outputs);
      storeLanes(f, dtype, inputDtypes, pointer, value!);
    },
    finish: (f) => {
      const flag = (seen: Local | undefined, bit: number): void => {
        if (seen === undefined) f.i32(0);
        else f.get(seen).simd(SIMD.anyTrue).i32(Math.log2(bit)).op(OP.i32Shl);
      };
      flag(inputs, FLAG_INPUT_NOT_FINITE);
      flag(outputs, FLAG_OUTPUT_NOT_FINITE);
      f.op(OP.i32Or);
    },
  };
}
