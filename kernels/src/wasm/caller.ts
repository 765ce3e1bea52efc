// Calls one kernel on runs of elements: fills its parameter block and gives the last one to three
// elements, copied to scratch memory and padded to four, a call of their own. So a kernel never
// touches a byte outside the run, and an element's result does not depend on its place in a vector.
import { dtypeBytes } from "../dtype.ts";
import type { CompiledProgram, Kernel } from "../program.ts";
import { STAGING_BYTES } from "../program.ts";
import { RANDOM_KEY, streamWords } from "../random.ts";
import { compileScalars, type ScalarProgram } from "../scalars.ts";
import type { Scalars } from "../types.ts";
import { instantiate, type KernelFunction, type SharedMemory } from "./host.ts";

/** Typed views of a shared memory, renewed when it has grown. */
export class MemoryViews {
  private readonly memory: SharedMemory;
  bytes!: Uint8Array;
  ints!: Int32Array;
  words!: Uint32Array;
  floats!: Float32Array;
  doubles!: Float64Array;

  constructor(memory: SharedMemory) {
    this.memory = memory;
    this.renew();
  }
  refresh(): void {
    if (this.bytes.buffer !== this.memory.buffer) this.renew();
  }
  private renew(): void {
    const { buffer } = this.memory;
    this.bytes = new Uint8Array(buffer);
    this.ints = new Int32Array(buffer);
    this.words = new Uint32Array(buffer);
    this.floats = new Float32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }
}

/** A run of elements: where it starts in the segment's buffers, and its index in the tensor and in the row. */
export interface Run {
  readonly inputs: readonly number[];
  readonly output: number | undefined;
  readonly skip: number;
  readonly elements: number;
  readonly tensorIndex: number;
  readonly rowIndex: number;
}

export class KernelCaller {
  readonly kernel: Kernel;
  private readonly views: MemoryViews;
  private readonly function: KernelFunction;
  private readonly block: number;
  private readonly staging: number;
  private readonly inputBytes: readonly number[];
  private readonly outputBytes: number;
  private readonly uniforms: ScalarProgram;
  private readonly uniformValues: Float64Array;

  constructor(program: CompiledProgram, kernel: Kernel, memory: SharedMemory, views: MemoryViews, scratch: number) {
    this.kernel = kernel;
    this.views = views;
    this.function = instantiate(kernel.module(), memory);
    this.block = scratch;
    this.staging = scratch + program.stagingOffset;
    this.inputBytes = kernel.plan.inputs.map((i) => dtypeBytes(program.spec.inputDtypes[i] ?? "F32"));
    this.outputBytes = dtypeBytes(kernel.outputDtype);
    this.uniforms = compileScalars(kernel.plan.uniforms, program.graph.nameOf, "float32");
    this.uniformValues = new Float64Array(kernel.plan.uniforms.length);
  }

  /** Byte address of the part of the parameter block that the kernel's family defines. */
  get extra(): number {
    return this.block + this.kernel.plan.layout.extra;
  }

  /** Sets what stays the same for a number of runs. */
  prepare(scalars: Scalars): void {
    const { streams, layout } = this.kernel.plan;
    const { uniforms, laneMask, random } = layout;
    const key = scalars[RANDOM_KEY];
    if (streams.length && key === undefined) throw new RangeError(`scalar ${RANDOM_KEY} is missing`);
    this.views.words.set(
      streams.flatMap((stream) => streamWords(key!, stream)),
      ((this.block + random) >>> 2) + 1,
    );
    this.uniforms(scalars, this.uniformValues);
    this.views.floats.set(this.uniformValues, (this.block + uniforms) >>> 2);
    this.views.ints.fill(-1, (this.block + laneMask) >>> 2, ((this.block + laneMask) >>> 2) + 4);
  }

  /** Runs the kernel over the run; `collect` is called after each of the one or two calls that takes, with what they covered. */
  run(run: Run, collect?: (from: number, elements: number) => void): number {
    const rest = run.elements & 3;
    const whole = run.elements - rest;
    let flags = 0;
    if (whole) {
      this.setPointers((i) => run.inputs[this.kernel.plan.inputs[i]!]! + run.skip * this.inputBytes[i]!);
      if (run.output !== undefined) this.setOutput(run.output + run.skip * this.outputBytes);
      this.setIndex(run.tensorIndex);
      flags = this.function(this.block, whole);
      collect?.(0, whole);
    }
    if (rest) {
      flags |= this.runRest(run, whole, rest);
      collect?.(whole, rest);
    }
    return flags;
  }

  private runRest(run: Run, done: number, rest: number): number {
    const { bytes, ints } = this.views;
    const first = run.skip + done;
    this.kernel.plan.inputs.forEach((position, i) => {
      const size = this.inputBytes[i]!;
      const from = run.inputs[position]! + first * size;
      const to = this.staging + STAGING_BYTES * i;
      // Lanes without an element repeat the first one, so that they cannot raise a flag it does not raise.
      for (let lane = 0; lane < 4; lane++) {
        const at = from + (lane < rest ? lane : 0) * size;
        bytes.copyWithin(to + lane * size, at, at + size);
      }
    });
    const output = this.staging + STAGING_BYTES * this.kernel.plan.inputs.length;
    this.setPointers((i) => this.staging + STAGING_BYTES * i);
    this.setOutput(output);
    this.setIndex(run.tensorIndex + done);
    const mask = (this.block + this.kernel.plan.layout.laneMask) >>> 2;
    ints.fill(0, mask + rest, mask + 4);
    const flags = this.function(this.block, 4);
    ints.fill(-1, mask, mask + 4);
    if (run.output !== undefined) {
      const size = this.outputBytes;
      bytes.copyWithin(run.output + first * size, output, output + rest * size);
    }
    return flags;
  }

  private setPointers(pointer: (input: number) => number): void {
    const at = (this.block + this.kernel.plan.layout.pointers) >>> 2;
    for (let i = 0; i < this.inputBytes.length; i++) this.views.words[at + i] = pointer(i);
  }

  private setIndex(index: number): void {
    const { streams, layout } = this.kernel.plan;
    if (streams.length) this.views.words[(this.block + layout.random) >>> 2] = index;
  }

  private setOutput(pointer: number): void {
    this.views.words[((this.block + this.kernel.plan.layout.pointers) >>> 2) + this.inputBytes.length] = pointer;
  }
}
