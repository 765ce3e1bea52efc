// Random numbers in a kernel: the hash of random.ts on four elements at a time.
import { LAST_SHIFT, ROUNDS } from "../random.ts";
import type { KernelFunction, Local } from "./function.ts";
import { SIMD } from "./opcodes.ts";

/** Pushes four numbers in [0, 1) for the elements of `indexes`; `words` are the stream's, splatted. */
export function emitUniform(f: KernelFunction, indexes: Local, words: readonly [Local, Local]): void {
  const shifted = (x: Local, bits: number): void => {
    f.get(x).get(x).i32(bits).simd(SIMD.i32x4ShrU).simd(SIMD.xor);
  };
  let x = f.get(indexes).get(words[0]).simd(SIMD.i32x4Add).keep();
  ROUNDS.forEach(({ shift, factor }, round) => {
    shifted(x, shift);
    f.splatBits(factor).simd(SIMD.i32x4Mul);
    if (round === 0) f.get(words[1]).simd(SIMD.i32x4Add);
    x = f.keep();
  });
  shifted(x, LAST_SHIFT);
  f.i32(8)
    .simd(SIMD.i32x4ShrU)
    .simd(SIMD.f32x4ConvertI32x4S)
    .splat(2 ** -24)
    .simd(SIMD.f32x4Mul);
}
