// Runs a program on the calling thread: the output pass, and one pass of a stage of statistics, over
// a segment; row statistics are found here, row by row. Knows no method.
import type { Scope } from "./expr.ts";
import { cutName, cutoffName } from "./graph.ts";
import { type CompiledProgram, type Kernel, RANKS_BYTES, type StageKernels } from "./program.ts";
import { rankFractions } from "./rank.ts";
import { nextFloat32 } from "./statistics/key.ts";
import { addHistograms } from "./statistics/partial.ts";
import { addReduction, emptyReduction } from "./statistics/reduction.ts";
import { sampleElements } from "./statistics/search.ts";
import { advanceOf, startOf } from "./statistics/stage.ts";
import type {
  ExactSum,
  Executor,
  Histogram,
  OutputSegment,
  Program,
  Scalars,
  Search,
  Segment,
  Stage,
  StagePartial,
  StageState,
} from "./types.ts";
import { BLOCK_ELEMENTS } from "./types.ts";
import { KernelCaller, MemoryViews, type Run } from "./wasm/caller.ts";
import type { SharedMemory } from "./wasm/host.ts";
import { readInside, readReduction, writeSearches } from "./wasm/read-back.ts";
import { SearchCounter } from "./wasm/search-counter.ts";

/** Part of a segment that a pass covers. */
type Part = Omit<Run, "rowIndex"> & { readonly rowElements: number | undefined; readonly inRow: boolean };

/**
 * Makes an executor for one thread. `memory` must be shared with a maximum of 4 GiB (`createMemory`); `scratch` is the byte
 * address of `program.scratchBytes` bytes there, a multiple of 16, that nobody else uses during a call.
 */
export function createExecutor(program: Program, memory: SharedMemory, scratch: number): Executor {
  if (scratch % 16) throw new RangeError(`the scratch address must be a multiple of 16, got ${scratch}`);
  return new WasmExecutor(program as CompiledProgram, memory, scratch);
}

class WasmExecutor implements Executor {
  readonly program: CompiledProgram;
  private readonly memory: SharedMemory;
  private readonly scratch: number;
  private readonly views: MemoryViews;
  private readonly callers = new Map<Kernel, KernelCaller>();

  constructor(program: CompiledProgram, memory: SharedMemory, scratch: number) {
    this.program = program;
    this.memory = memory;
    this.scratch = scratch;
    this.views = new MemoryViews(memory);
  }

  output(segment: OutputSegment, scalars: Scalars): number {
    const caller = this.callerOf(this.program.output);
    let flags = 0;
    this.sweep(caller, partOf(segment, segment.output), scalars, (run) => {
      flags |= caller.run(run);
    });
    return flags;
  }

  statistic(stage: number, state: StageState, segment: Segment, scalars: Scalars): StagePartial {
    const found = this.program.graph.stages[stage];
    if (!found) throw new RangeError(`there is no stage ${stage}`);
    return this.pass(found, state, partOf(segment, undefined), scalars);
  }

  private callerOf(kernel: Kernel): KernelCaller {
    this.views.refresh();
    let caller = this.callers.get(kernel);
    if (!caller) {
      caller = new KernelCaller(this.program, kernel, this.memory, this.views, this.scratch);
      this.callers.set(kernel, caller);
    }
    return caller;
  }

  private pass(stage: Stage, state: StageState, part: Part, scalars: Scalars): StagePartial {
    const kernels = this.program.stageKernels.get(stage)!;
    switch (state.status) {
      case "reduce":
        return this.reduce(kernels, part, scalars);
      case "histogram":
        return this.histogram(kernels, state, part, scalars);
      case "locate":
        return this.locate(kernels, state.searches, part, scalars);
      case "done":
        throw new TypeError("this stage is done: it needs no further pass");
    }
  }

  private reduce({ kernel, reductions }: StageKernels, part: Part, scalars: Scalars): StagePartial {
    const kinds = reductions.map((r) => r.kind);
    const values: (ExactSum | number)[] = kinds.map(emptyReduction);
    const caller = this.callerOf(kernel);
    const collect = (): void => {
      kinds.forEach((kind, i) => {
        values[i] = addReduction(kind, values[i]!, readReduction(this.views, caller.extra, i, kind));
      });
    };
    this.sweep(caller, part, scalars, (run) => {
      caller.run(run, collect);
    });
    return { kind: "reduce", kinds, values };
  }

  private histogram(
    { kernel }: StageKernels,
    { searches, sampleRounds }: Extract<StageState, { status: "histogram" }>,
    part: Part,
    scalars: Scalars,
  ): StagePartial {
    const caller = this.callerOf(kernel);
    const read = sampleElements(sampleRounds);
    const start = (): SearchCounter => new SearchCounter(this.views, caller.extra, searches, sampleRounds > 0);
    // The row statistics found before each row share the scratch memory: then counts are read and cleared for each row.
    const rowwise = needsRows(kernel) && !part.inRow;
    let counter = start();
    let elements = 0;
    let counted: readonly Histogram[] | undefined;
    this.sweep(caller, part, scalars, (run) => {
      if (indexOf(run, part) % BLOCK_ELEMENTS >= read) return;
      const visited = sampleRounds > 0 ? { ...run, elements: Math.min(run.elements, read) } : run;
      elements += visited.elements;
      if (rowwise) counter = start();
      const chunk = indexOf(run, part);
      caller.run(visited, (from, length) => counter.collect(chunk, chunk + from, length));
      if (rowwise) counted = addAll(counted, counter.result());
    });
    return { kind: "histogram", elements, searches: counted ?? counter.result() };
  }

  private locate({ kernel }: StageKernels, searches: readonly Search[], part: Part, scalars: Scalars): StagePartial {
    const indexes = searches.map(() => -1);
    const caller = this.callerOf(kernel);
    const countEquals = (run: Run, search: number): number => {
      const before = readInside(this.views, caller.extra, search);
      caller.run(run);
      return readInside(this.views, caller.extra, search) - before;
    };
    this.sweep(caller, part, scalars, (run) => {
      searches.forEach((search, i) => {
        if (search.phase !== "locate" || search.start !== indexOf(run, part)) return;
        let [done, elements] = [0, run.elements];
        let { rank } = search;
        writeSearches(this.views, caller.extra, searches);
        while (elements > 1) {
          const half = elements >> 1;
          const count = countEquals(partOfRun(run, done, half), i);
          if (rank <= count) elements = half;
          else {
            rank -= count;
            done += half;
            elements -= half;
          }
        }
        indexes[i] = search.start + done;
      });
    });
    return { kind: "locate", indexes };
  }

  /** Calls `visit` for each chunk, with the kernel prepared and the statistics of the chunk's row found. */
  private sweep(caller: KernelCaller, part: Part, scalars: Scalars, visit: (run: Run) => void): void {
    const { rowStages } = caller.kernel;
    if (!needsRows(caller.kernel) || part.inRow) {
      this.sweepPart(caller, part, scalars, visit);
      return;
    }
    const { rowElements } = part;
    if (!rowElements || part.elements % rowElements)
      throw new RangeError(
        `a segment of ${part.elements} elements is not made of whole rows of ${rowElements} elements`,
      );
    for (let done = 0; done < part.elements; done += rowElements) {
      const row: Part = {
        ...part,
        skip: done,
        elements: rowElements,
        tensorIndex: part.tensorIndex + done,
        inRow: true,
      };
      let found = scalars;
      for (const stage of rowStages) found = { ...found, ...this.rowStage(stage, row, found) };
      this.sweepPart(caller, row, found, this.withRanks(caller.kernel, row, found, visit));
    }
  }

  /** Finds the ranks a kernel reads in a row, and lays those of each run where the kernel reads them. */
  private withRanks(kernel: Kernel, row: Part, scalars: Scalars, visit: (run: Run) => void): (run: Run) => void {
    if (!kernel.readsRanks) return visit;
    const inputs = this.program.graph.inputs.length;
    const needed = kernel.plan.inputs.filter((i) => i >= inputs).map((i) => i - inputs);
    const ranks = needed.map((rank) => rankFractions(this.valuesToRank(this.program.rankKernels[rank]!, row, scalars)));
    const blocks = this.scratch + this.program.ranksOffset + RANKS_BYTES;
    return (run) => {
      const addresses = [...run.inputs];
      needed.forEach((rank, i) => {
        const at = blocks + RANKS_BYTES * rank;
        this.views.floats.set(ranks[i]!.subarray(run.rowIndex, run.rowIndex + run.elements), at >>> 2);
        // Kernels count from where the segment starts.
        addresses[inputs + rank] = at - 4 * run.skip;
      });
      visit({ ...run, inputs: addresses });
    };
  }

  private valuesToRank(kernel: Kernel, row: Part, scalars: Scalars): Float32Array {
    const caller = this.callerOf(kernel);
    const block = this.scratch + this.program.ranksOffset;
    const values = new Float32Array(row.elements);
    caller.prepare(scalars);
    forEachChunk(row, (chunk) => {
      caller.run({ ...chunk, output: block - 4 * chunk.skip });
      values.set(this.views.floats.subarray(block >>> 2, (block >>> 2) + chunk.elements), chunk.rowIndex);
    });
    return values;
  }

  private sweepPart(caller: KernelCaller, part: Part, scalars: Scalars, visit: (run: Run) => void): void {
    const { cuts } = caller.kernel.plan;
    if (cuts.length === 0) {
      caller.prepare(scalars);
      forEachChunk(part, visit);
      return;
    }
    const selections = cuts.map((s) => {
      const name = this.program.graph.nameOf(s);
      return { name, scope: s.scope, threshold: valueIn(scalars, name), cutoff: valueIn(scalars, cutoffName(name)) };
    });
    forEachChunk(part, (chunk) => {
      // A selection keeps the threshold itself up to its cut-off only: runs end there.
      const startIn = (scope: Scope): number => (scope === "row" ? chunk.rowIndex : chunk.tensorIndex);
      const ends = selections.map((s) => s.cutoff - startIn(s.scope)).filter((end) => end > 0 && end < chunk.elements);
      let done = 0;
      for (const end of [...ends.sort((a, b) => a - b), chunk.elements]) {
        const cutsHere = selections.map(({ name, scope, threshold, cutoff }) => {
          const kept = startIn(scope) + done < cutoff;
          return [cutName(name), kept ? threshold : nextFloat32(threshold)] as const;
        });
        caller.prepare({ ...scalars, ...Object.fromEntries(cutsHere) });
        if (end > done) visit(partOfRun(chunk, done, end - done));
        done = end;
      }
    });
  }

  private rowStage(stage: Stage, row: Part, scalars: Scalars): Scalars {
    const { graph } = this.program;
    let state = startOf(graph, stage, scalars, row.elements);
    while (state.status !== "done") state = advanceOf(graph, stage, state, this.pass(stage, state, row, scalars));
    return state.values;
  }
}

const needsRows = ({ rowStages, readsRanks }: Kernel): boolean => rowStages.length > 0 || readsRanks;

const partOf = (segment: Segment, output: number | undefined): Part => ({
  inputs: segment.inputs,
  output,
  skip: 0,
  elements: segment.elements,
  tensorIndex: segment.firstElement,
  rowElements: segment.rowElements,
  inRow: false,
});

/** Chunks start at the tensor's or the row's beginning and are as long as a block: the same wherever a tensor is cut. */
function forEachChunk(part: Part, visit: (run: Run) => void): void {
  for (let done = 0; done < part.elements; done += BLOCK_ELEMENTS) {
    visit({
      inputs: part.inputs,
      output: part.output,
      skip: part.skip + done,
      elements: Math.min(BLOCK_ELEMENTS, part.elements - done),
      tensorIndex: part.tensorIndex + done,
      rowIndex: done,
    });
  }
}

const partOfRun = (run: Run, from: number, elements: number): Run => ({
  ...run,
  skip: run.skip + from,
  elements,
  tensorIndex: run.tensorIndex + from,
  rowIndex: run.rowIndex + from,
});

function valueIn(scalars: Scalars, name: string): number {
  const value = scalars[name];
  if (value === undefined) throw new RangeError(`scalar ${name} is missing: an earlier stage gives it`);
  return value;
}

const addAll = (sums: readonly Histogram[] | undefined, more: readonly Histogram[]): readonly Histogram[] =>
  sums?.map((h, i) => addHistograms(h, more[i]!)) ?? more;

/** Where a chunk starts in the scope of the statistic being found. */
const indexOf = (run: Run, part: Part): number => (part.inRow ? run.rowIndex : run.tensorIndex);
