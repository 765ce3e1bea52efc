// Lays the numbers that kernels draw from mergekit's generator beside their inputs, a block for each stream.
import { BLOCK_BYTES, type CompiledProgram, type Kernel } from "./program.ts";
import { RANDOM_SEED, randomOffset } from "./random.ts";
import { Twister } from "./twister.ts";
import type { Scalars } from "./types.ts";
import type { Chunk, MemoryViews } from "./wasm/caller.ts";

export class DrawnNumbers {
  private readonly program: CompiledProgram;
  private readonly views: MemoryViews;
  private readonly blocks: number;
  private seed = Number.NaN;
  private twisters: readonly Twister[] = [];

  /** @param blocks byte address of room for a block of each of the graph's drawn numbers */
  constructor(program: CompiledProgram, views: MemoryViews, blocks: number) {
    this.program = program;
    this.views = views;
    this.blocks = blocks;
  }

  /** The chunk, no longer than a block, with the addresses of its numbers. */
  lay(kernel: Kernel, chunk: Chunk, scalars: Scalars): Chunk {
    const { graph } = this.program;
    const inputs = [...chunk.inputs];
    for (const index of kernel.drawn) {
      const first = scalarIn(scalars, randomOffset(graph.drawn[index]!.stream)) + chunk.tensorIndex;
      const at = this.blocks + BLOCK_BYTES * index;
      const into = this.views.floats.subarray(at >>> 2, (at >>> 2) + chunk.elements);
      this.twister(index, scalarIn(scalars, RANDOM_SEED)).fill(first, into);
      // Kernels count from where the segment starts.
      inputs[graph.inputs.length + graph.ranks.length + index] = at - 4 * chunk.skip;
    }
    return { ...chunk, inputs };
  }

  /** A generator for each stream, so that each goes on where it was. */
  private twister(index: number, seed: number): Twister {
    if (seed !== this.seed) {
      this.seed = seed;
      this.twisters = this.program.graph.drawn.map(() => new Twister(seed));
    }
    return this.twisters[index]!;
  }
}

function scalarIn(scalars: Scalars, name: string): number {
  const value = scalars[name];
  if (value === undefined) throw new RangeError(`scalar ${name} is missing`);
  return value;
}
