// Runs a program on the calling thread: the output pass, and one pass of a stage of statistics, over a segment. Knows no method.
import { DrawnNumbers } from "./drawn-numbers.ts";
import type { Scope } from "./expr.ts";
import { cutName, cutoffName } from "./graph.ts";
import type { CompiledProgram, Kernel, StageKernels } from "./program.ts";
import { chunksOf, RowStatistics, type Rows } from "./row-statistics.ts";
import { nextFloat32 } from "./statistics/key.ts";
import { Total } from "./statistics/reduction.ts";
import { sampleElements } from "./statistics/search.ts";
import type { Executor, OutputSegment, Program, Scalars, Search, Segment, StagePartial, StageState } from "./types.ts";
import { BLOCK_ELEMENTS } from "./types.ts";
import { type Chunk, KernelCaller, MemoryViews, type Run } from "./wasm/caller.ts";
import type { SharedMemory } from "./wasm/host.ts";
import { SearchCounter } from "./wasm/search-counter.ts";

type Visit = (chunk: Chunk, runs: readonly Run[]) => void;
/** Where elements begin in their row and in their tensor, and how many they are. */
interface Stretch {
  readonly row: number;
  readonly tensor: number;
  readonly elements: number;
}

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
  private readonly rows: RowStatistics;
  private readonly drawn: DrawnNumbers;
  private readonly callers = new Map<Kernel, KernelCaller>();

  constructor(program: CompiledProgram, memory: SharedMemory, scratch: number) {
    this.program = program;
    this.memory = memory;
    this.scratch = scratch;
    this.views = new MemoryViews(memory);
    const callerOf = (kernel: Kernel): KernelCaller => this.callerOf(kernel, program.rowKernelsOffset);
    this.rows = new RowStatistics(program, this.views, callerOf, scratch + program.valuesOffset);
    this.drawn = new DrawnNumbers(program, this.views, scratch + program.drawnOffset);
  }

  output(segment: OutputSegment, scalars: Scalars): number {
    const caller = this.callerOf(this.program.output);
    let flags = 0;
    this.sweep(caller, segment, scalars, (chunk, runs) => {
      flags |= caller.call(chunk, runs);
    });
    return flags;
  }

  statistic(stage: number, state: StageState, segment: Segment, scalars: Scalars): StagePartial {
    const found = this.program.graph.stages[stage];
    if (!found) throw new RangeError(`there is no stage ${stage}`);
    const kernels = this.program.stageKernels.get(found)!;
    switch (state.status) {
      case "reduce":
        return this.reduce(kernels, segment, scalars);
      case "histogram":
        return this.histogram(kernels, state, segment, scalars);
      case "locate":
        return this.locate(kernels, state.searches, segment, scalars);
      case "done":
        throw new TypeError("this stage is done: it needs no further pass");
    }
  }

  private callerOf(kernel: Kernel, offset = 0): KernelCaller {
    this.views.refresh();
    let caller = this.callers.get(kernel);
    if (!caller) {
      caller = new KernelCaller(this.program, kernel, this.memory, this.views, this.scratch + offset);
      this.callers.set(kernel, caller);
    }
    return caller;
  }

  private reduce({ kernel, reductions }: StageKernels, segment: Segment, scalars: Scalars): StagePartial {
    const kinds = reductions.map((r) => r.kind);
    const totals = kinds.map((kind) => new Total(kind));
    const caller = this.callerOf(kernel);
    const collect = (_: number, place: number): void => {
      for (let i = 0; i < totals.length; i++) {
        totals[i]!.add(caller.result(place, i, 0, kinds[i]!));
        totals[i]!.add(caller.result(place, i, 1, kinds[i]!));
      }
    };
    this.sweep(caller, segment, scalars, (chunk, runs) => {
      caller.call(chunk, runs, collect);
    });
    return { kind: "reduce", kinds, values: totals.map((total) => total.result()) };
  }

  private histogram(
    { kernel }: StageKernels,
    { searches, sampleRounds, elements }: Extract<StageState, { status: "histogram" }>,
    segment: Segment,
    scalars: Scalars,
  ): StagePartial {
    const caller = this.callerOf(kernel);
    const counter = new SearchCounter(this.views, caller, searches, sampleRounds > 0);
    const count: Visit = (chunk, runs) => counter.count(chunk, runs);
    this.sweep(caller, segment, scalars, count, sampleElements(sampleRounds, elements));
    return { kind: "histogram", elements: counter.elements, searches: counter.result() };
  }

  private locate(
    { kernel }: StageKernels,
    searches: readonly Search[],
    segment: Segment,
    scalars: Scalars,
  ): StagePartial {
    const indexes = searches.map(() => -1);
    const caller = this.callerOf(kernel);
    const counter = new SearchCounter(this.views, caller, searches, true);
    this.sweep(caller, segment, scalars, (chunk, runs) => {
      searches.forEach((search, i) => {
        if (search.phase !== "locate" || search.start !== chunk.tensorIndex) return;
        let [done, elements] = [0, chunk.elements];
        let { rank } = search;
        while (elements > 1) {
          const half = elements >> 1;
          const count = counter.equals(i, ...partOf(chunk, runs, done, half));
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

  /**
   * Calls `visit` for each chunk with its runs. Chunks begin at multiples of a block from the tensor's start, or with rows where the
   * kernel needs those; reductions are taken run by run. So neither depends on where a tensor is cut.
   * @param read how many elements of each block to visit: from its start, or the rows that begin there
   */
  private sweep(
    caller: KernelCaller,
    segment: Segment | OutputSegment,
    scalars: Scalars,
    visitChunk: Visit,
    read: number = BLOCK_ELEMENTS,
  ): void {
    const { kernel } = caller;
    const visit: Visit =
      kernel.drawn.length === 0
        ? visitChunk
        : (chunk, runs) => visitChunk(this.drawn.lay(kernel, chunk, scalars), runs);
    caller.prepare(scalars);
    if (kernel.rowStages.length > 0 || kernel.ranks.length > 0) {
      for (const rows of rowsOf(segment, read)) this.visitRows(caller, rows, scalars, visit);
      return;
    }
    const own = { ...scalars };
    const uniforms = kernel.plan.cuts.length === 0 ? caller.uniformsOf(own) : undefined;
    for (let skip = 0; skip < segment.elements; skip += BLOCK_ELEMENTS) {
      const elements = Math.min(BLOCK_ELEMENTS, segment.elements - skip, read);
      const tensorIndex = segment.firstElement + skip;
      const runs = this.runsOf(caller, own, uniforms, { row: 0, tensor: tensorIndex, elements });
      visit({ inputs: segment.inputs, output: outputOf(segment), skip, elements, tensorIndex }, runs);
    }
  }

  private visitRows(caller: KernelCaller, rows: Rows, scalars: Scalars, visit: Visit): void {
    const { kernel } = caller;
    const own = { ...scalars };
    const same = kernel.readsRows || kernel.plan.cuts.length > 0 ? undefined : caller.uniformsOf(own);
    const chunks = chunksOf(rows).map((chunk) => ({ chunk, runs: [] as Run[] }));
    const addRuns = (of: Record<string, number>, row: number, length: number): void => {
      for (const { chunk, runs } of chunks) {
        const tensor = chunk.tensorIndex + row * rows.rowElements;
        const stretch = { row: chunk.rowIndex, tensor, elements: Math.min(length, chunk.elements) };
        runs.push(...this.runsOf(caller, of, same, stretch));
      }
    };
    if (kernel.readsRows || kernel.reduces)
      this.rows.forEachRow(kernel.rowStages, rows, scalars, (found, row) => addRuns(found, row, rows.rowElements));
    else addRuns(own, 0, rows.rows * rows.rowElements);
    const lay = this.rows.ranks(kernel, rows, scalars);
    for (const { chunk, runs } of chunks) visit(lay(chunk), runs);
  }

  /** One run, or several where selections end: a selection keeps the threshold itself up to its cut-off only. */
  private runsOf(
    caller: KernelCaller,
    scalars: Record<string, number>,
    uniforms: Float32Array | undefined,
    { row, tensor, elements }: Stretch,
  ): Run[] {
    if (uniforms) return [{ elements, uniforms }];
    const startIn = (scope: Scope): number => (scope === "row" ? row : tensor);
    const selections = caller.kernel.plan.cuts.map((s) => {
      const name = this.program.graph.nameOf(s);
      const threshold = valueIn(scalars, name);
      return { cut: cutName(name), threshold, end: valueIn(scalars, cutoffName(name)) - startIn(s.scope) };
    });
    const ends = selections.map((s) => s.end).filter((end) => end > 0 && end < elements);
    let done = 0;
    return [...new Set(ends).add(elements)]
      .sort((a, b) => a - b)
      .map((end) => {
        for (const s of selections) scalars[s.cut] = done < s.end ? s.threshold : nextFloat32(s.threshold);
        const run = { elements: end - done, uniforms: caller.uniformsOf(scalars) };
        done = end;
        return run;
      });
  }
}

const outputOf = (segment: Segment | OutputSegment): number | undefined =>
  "output" in segment ? segment.output : undefined;

/** As many rows at a time as fit into a block, of those that begin in the first `read` elements of one. */
function* rowsOf(segment: Segment | OutputSegment, read: number): Generator<Rows> {
  const { inputs, elements, firstElement, rowElements } = segment;
  if (!rowElements || elements % rowElements)
    throw new RangeError(`a segment of ${elements} elements is not made of whole rows of ${rowElements} elements`);
  const most = Math.max(1, Math.floor(BLOCK_ELEMENTS / rowElements));
  const isRead = (skip: number): boolean =>
    skip < elements && (read === BLOCK_ELEMENTS || (firstElement + skip) % BLOCK_ELEMENTS < read);
  for (let skip = 0; skip < elements; ) {
    let rows = 0;
    while (rows < most && isRead(skip + rows * rowElements)) rows++;
    if (rows) yield { inputs, output: outputOf(segment), skip, tensorIndex: firstElement + skip, rows, rowElements };
    skip += Math.max(1, rows) * rowElements;
  }
}

/** Some of a chunk's elements, with their runs. */
function partOf(chunk: Chunk, runs: readonly Run[], from: number, elements: number): [Chunk, Run[]] {
  let start = 0;
  const parts = runs.flatMap((run) => {
    const [first, end] = [Math.max(start, from), Math.min(start + run.elements, from + elements)];
    start += run.elements;
    return first < end ? [{ ...run, elements: end - first }] : [];
  });
  return [{ ...chunk, skip: chunk.skip + from, tensorIndex: chunk.tensorIndex + from, elements }, parts];
}

function valueIn(scalars: Scalars, name: string): number {
  const value = scalars[name];
  if (value === undefined) throw new RangeError(`scalar ${name} is missing: an earlier stage gives it`);
  return value;
}
