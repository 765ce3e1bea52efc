// Calls one kernel on a chunk of elements: fills its parameter block, and reads what it left there.
import { dtypeBytes } from "../dtype.ts";
import type { ReductionKind } from "../expr.ts";
import type { CompiledProgram, Kernel } from "../program.ts";
import { RANDOM_KEY, streamWords } from "../random.ts";
import { compileScalars, type ScalarProgram } from "../scalars.ts";
import type { Scalars } from "../types.ts";
import { instantiate, type KernelFunction, type SharedMemory } from "./host.ts";
import { MOST_RUNS } from "./plan.ts";
import { readReduction } from "./read-back.ts";

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

/** Consecutive elements, no more than a block: where they start in the segment's buffers, and their index in the tensor. */
export interface Chunk {
  readonly inputs: readonly number[];
  readonly output: number | undefined;
  readonly skip: number;
  readonly elements: number;
  readonly tensorIndex: number;
}

/** Elements of a chunk that share their scalars. */
export interface Run {
  readonly elements: number;
  readonly uniforms: Float32Array;
}

export class KernelCaller {
  readonly kernel: Kernel;
  private readonly views: MemoryViews;
  private readonly function: KernelFunction;
  private readonly block: number;
  private readonly inputBytes: readonly number[];
  private readonly outputBytes: number;
  private readonly uniforms: ScalarProgram;

  /** @param block byte address of the kernel's parameter block */
  constructor(program: CompiledProgram, kernel: Kernel, memory: SharedMemory, views: MemoryViews, block: number) {
    this.kernel = kernel;
    this.views = views;
    this.function = instantiate(kernel.module(), memory);
    this.block = block;
    this.inputBytes = kernel.plan.inputs.map((i) => dtypeBytes(program.spec.inputDtypes[i] ?? "F32"));
    this.outputBytes = dtypeBytes(kernel.outputDtype);
    this.uniforms = compileScalars(kernel.plan.uniforms, program.graph.nameOf, "float32");
  }

  /** Byte address of the part of the parameter block that the kernel's family defines. */
  get extra(): number {
    return this.block + this.kernel.plan.layout.extra;
  }

  /** The loop invariants of a run. */
  uniformsOf(scalars: Scalars): Float32Array {
    const values = new Float32Array(this.kernel.plan.uniforms.length);
    this.uniforms(scalars, values);
    return values;
  }

  /** Sets what stays the same for all calls of a pass. */
  prepare(scalars: Scalars): void {
    const { streams, layout } = this.kernel.plan;
    const key = scalars[RANDOM_KEY];
    if (streams.length && key === undefined) throw new RangeError(`scalar ${RANDOM_KEY} is missing`);
    const words = streams.flatMap((stream) => streamWords(key!, stream));
    this.views.words.set(words, (this.block + layout.random) >>> 2);
  }

  /**
   * Runs the kernel over the runs, which lie behind each other from the chunk's start. `collect` is called for each run while its
   * results can be read. Returns the kernel's flags.
   */
  call(chunk: Chunk, runs: readonly Run[], collect?: (run: number, place: number) => void): number {
    let flags = 0;
    let done = 0;
    for (let first = 0; first < runs.length; first += MOST_RUNS) {
      const count = Math.min(MOST_RUNS, runs.length - first);
      this.setPlace(chunk, done);
      for (let place = 0; place < count; place++) {
        this.setRun(place, runs[first + place]!);
        done += runs[first + place]!.elements;
      }
      flags |= this.function(this.block, count);
      for (let place = 0; collect && place < count; place++) collect(first + place, place);
    }
    return flags;
  }

  /** A reduction of the run that was in that place of the last call: of its whole vectors, or of what was left. */
  result(place: number, reduction: number, part: 0 | 1, kind: ReductionKind): number {
    const { layout } = this.kernel.plan;
    const results = this.block + layout.runs + place * layout.run.bytes + layout.run.results;
    return readReduction(this.views, results, reduction, part, kind);
  }

  private setPlace({ inputs, output, skip, tensorIndex }: Chunk, done: number): void {
    const { plan } = this.kernel;
    const { words } = this.views;
    const at = (this.block + plan.layout.pointers) >>> 2;
    for (let i = 0; i < this.inputBytes.length; i++)
      words[at + i] = inputs[plan.inputs[i]!]! + (skip + done) * this.inputBytes[i]!;
    words[at + this.inputBytes.length] = (output ?? 0) + (skip + done) * this.outputBytes;
    words[(this.block + plan.layout.index) >>> 2] = tensorIndex + done;
  }

  private setRun(place: number, { elements, uniforms }: Run): void {
    const { layout } = this.kernel.plan;
    const at = this.block + layout.runs + place * layout.run.bytes;
    this.views.words[(at + layout.run.elements) >>> 2] = elements;
    this.views.floats.set(uniforms, (at + layout.run.uniforms) >>> 2);
  }
}
