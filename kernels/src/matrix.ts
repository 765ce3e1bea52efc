// Arithmetic on matrices in a kernel's memory that comes before a merge: widening, averaging, and the low-rank products of adapters.
// What becomes of an element depends on nothing but its own operands, so pieces of a matrix give the same bits as the whole.
import { decodeElements, encodeElements } from "./convert.ts";
import { type DTypeName, dtypeBytes } from "./dtype.ts";
import {
  type CompiledModule,
  compileModule,
  instantiate,
  type KernelFunction,
  type SharedMemory,
} from "./wasm/host.ts";
import { emitAddition, emitConversion, emitDivision, emitLowRank, MATRIX_BLOCK_BYTES } from "./wasm/matrix.ts";

export { MATRIX_BLOCK_BYTES } from "./wasm/matrix.ts";

/** A product to add to one row, or to a run of its columns. */
export interface LowRankRow {
  /** Address of the row's float32 elements. */
  readonly target: number;
  readonly elements: number;
  /** Address of the row's `rank` float32 factors. */
  readonly left: number;
  /** Address of the first column in the first of `rank` rows of float32. */
  readonly right: number;
  readonly rank: number;
  /** From one of those rows to the next. */
  readonly rightRowBytes: number;
  readonly scale: number;
}

export interface MatrixKernels {
  /** Elements of one dtype to another, forwards: the target may begin at or before the source, or end where the source ends when it is wider. */
  convert(from: DTypeName, source: number, to: DTypeName, target: number, elements: number): void;
  /** target += source, float32. */
  add(source: number, target: number, elements: number): void;
  /** target /= divisor, float32. */
  divide(target: number, elements: number, divisor: number): void;
  /** target += scale * (left @ right): the product is summed in float32 from the first to the last rank, then scaled, then added. */
  addLowRank(row: LowRankRow): void;
}

/** Compiled once for all memories. */
const modules = new Map<string, CompiledModule>();

/** @param block address of MATRIX_BLOCK_BYTES bytes, a multiple of 16, that nobody else uses during a call */
export function createMatrixKernels(memory: SharedMemory, block: number): MatrixKernels {
  const parameters = new DataView(memory.buffer, block, MATRIX_BLOCK_BYTES);
  const bytes = new Uint8Array(memory.buffer);
  const instances = new Map<string, KernelFunction>();
  const kernel = (key: string, emit: () => Uint8Array): KernelFunction => {
    let run = instances.get(key);
    if (run === undefined) {
      const module = modules.get(key) ?? compileModule(emit());
      modules.set(key, module);
      run = instantiate(module, memory);
      instances.set(key, run);
    }
    return run;
  };
  const call = (run: KernelFunction, words: readonly number[], elements: number): void => {
    words.forEach((word, i) => {
      parameters.setUint32(4 * i, word, true);
    });
    run(block, elements);
  };
  const float = (value: number): number => {
    word.setFloat32(0, value);
    return word.getUint32(0);
  };
  const floats = (address: number, elements: number): DataView => new DataView(memory.buffer, address, 4 * elements);

  return {
    convert(from, source, to, target, elements) {
      const whole = elements & ~3;
      const run = kernel(`${from} ${to}`, () => emitConversion(from, to));
      if (whole > 0) call(run, [source, target], whole);
      if (whole === elements) return;
      const size = dtypeBytes(from);
      // Copied: a decoder must not see bytes change under it.
      const rest = bytes.slice(source + whole * size, source + elements * size);
      bytes.set(encodeElements(decodeElements(rest, from), to), target + whole * dtypeBytes(to));
    },
    add(source, target, elements) {
      const whole = elements & ~3;
      if (whole > 0) call(kernel("add", emitAddition), [source, target], whole);
      const [from, to] = [floats(source, elements), floats(target, elements)];
      for (let at = 4 * whole; at < 4 * elements; at += 4)
        to.setFloat32(at, to.getFloat32(at, true) + from.getFloat32(at, true), true);
    },
    divide(target, elements, divisor) {
      const whole = elements & ~3;
      if (whole > 0) call(kernel("divide", emitDivision), [target, float(divisor)], whole);
      const to = floats(target, elements);
      const by = Math.fround(divisor);
      for (let at = 4 * whole; at < 4 * elements; at += 4) to.setFloat32(at, to.getFloat32(at, true) / by, true);
    },
    addLowRank({ target, elements, left, right, rank, rightRowBytes, scale }) {
      let done = 0;
      for (const vectors of [4, 1]) {
        const count = Math.floor((elements - done) / (4 * vectors)) * 4 * vectors;
        const run = kernel(`low rank ${vectors}`, () => emitLowRank(vectors));
        const words = [target + 4 * done, left, right + 4 * done, rank, rightRowBytes, float(scale)];
        if (count > 0) call(run, words, count);
        done += count;
      }
      const [to, factors] = [floats(target, elements), floats(left, rank)];
      const by = Math.fround(scale);
      for (; done < elements; done++) {
        let sum = 0;
        for (let k = 0; k < rank; k++) {
          const column = floats(right + k * rightRowBytes + 4 * done, 1).getFloat32(0, true);
          sum = Math.fround(sum + Math.fround(factors.getFloat32(4 * k, true) * column));
        }
        to.setFloat32(4 * done, to.getFloat32(4 * done, true) + Math.fround(sum * by), true);
      }
    },
  };
}

const word = new DataView(new ArrayBuffer(4));
