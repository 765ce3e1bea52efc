// The output pass: stores the merged values, rounded once, and notices what is not finite.
import type { DTypeName } from "../dtype.ts";
import { dtypeBytes } from "../dtype.ts";
import { FLAG_INPUT_NOT_FINITE, FLAG_OUTPUT_NOT_FINITE } from "../types.ts";
import type { KernelFunction, Local } from "./function.ts";
import type { Sink } from "./kernel.ts";
import { overflowFrom, storeLanes } from "./lanes.ts";
import { OP, SIMD, V128 } from "./opcodes.ts";

export function outputSink(dtype: DTypeName, inputDtypes: readonly DTypeName[]): Sink {
  // One for each input: a single one would make them wait for each other.
  const inputs = new Map<Local, Local>();
  let outputs: Local | undefined;
  const isWide = dtype === "F32" || dtype === "F64";
  // x * 0 is zero for every finite x and NaN for everything else; a relaxed multiply-add, fused or not, adds just that.
  const addNotFinite = (f: KernelFunction, lanes: Local, into: Local): void => {
    f.get(lanes).splat(0).get(into).simd(SIMD.f32x4RelaxedMadd).set(into);
  };
  return {
    outputBytes: dtypeBytes(dtype),
    observe: (f, lanes) => {
      const seen = inputs.get(lanes) ?? f.local(V128);
      inputs.set(lanes, seen);
      addNotFinite(f, lanes, seen);
    },
    body: (f, [value], { output: pointer }) => {
      outputs ??= f.local(V128);
      if (isWide) addNotFinite(f, value!, outputs);
      else f.get(outputs).get(value!).splatBits(0x7fffffff).simd(SIMD.and).simd(SIMD.i32x4MaxS).set(outputs);
      storeLanes(f, dtype, inputDtypes, pointer, value!);
    },
    finish: (f) => {
      const pushIsNaN = (seen: Local): KernelFunction => f.get(seen).get(seen).simd(SIMD.f32x4Ne);
      const pushFlag = (bit: number): KernelFunction => f.simd(SIMD.anyTrue).i32(Math.log2(bit)).op(OP.i32Shl);
      f.splatBits(0);
      for (const seen of inputs.values()) pushIsNaN(seen).simd(SIMD.or);
      pushFlag(FLAG_INPUT_NOT_FINITE);
      if (isWide) pushIsNaN(outputs!);
      else
        f.get(outputs!)
          .splatBits(overflowFrom(dtype) - 1)
          .simd(SIMD.i32x4GtS);
      pushFlag(FLAG_OUTPUT_NOT_FINITE).op(OP.i32Or);
    },
  };
}
