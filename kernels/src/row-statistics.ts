// Finds what kernels need of each row, for many rows at a time: their statistics, as scalars, and the ranks of their values.
import type { Expr, ReductionKind } from "./expr.ts";
import { cutoffName } from "./graph.ts";
import { BLOCK_BYTES, type CompiledProgram, type Kernel } from "./program.ts";
import { RowSorter } from "./row-sorter.ts";
import { roundExact } from "./statistics/exact-sum.ts";
import { sumOfTwo, Total } from "./statistics/reduction.ts";
import { dependsOnRows, rankProgram } from "./statistics/stage.ts";
import type { Scalars, Stage } from "./types.ts";
import { BLOCK_ELEMENTS } from "./types.ts";
import type { Chunk, KernelCaller, MemoryViews, Run } from "./wasm/caller.ts";

/** Consecutive rows: one, or as many as fit into a block. */
export interface Rows {
  readonly inputs: readonly number[];
  readonly output: number | undefined;
  readonly skip: number;
  readonly tensorIndex: number;
  readonly rows: number;
  readonly rowElements: number;
}

/** A chunk of rows: its start in the row, if that is longer than a block. */
export type RowChunk = Chunk & { readonly rowIndex: number };

/** All rows in one chunk, or the chunks of a row that is longer than a block. */
export function chunksOf({ rows, rowElements, ...place }: Rows): RowChunk[] {
  const elements = rows * rowElements;
  return Array.from({ length: Math.ceil(elements / BLOCK_ELEMENTS) }, (_, i) => {
    const done = i * BLOCK_ELEMENTS;
    const [skip, tensorIndex] = [place.skip + done, place.tensorIndex + done];
    return { ...place, skip, tensorIndex, elements: Math.min(BLOCK_ELEMENTS, elements - done), rowIndex: done };
  });
}

let sorter: RowSorter | undefined;

export class RowStatistics {
  private readonly program: CompiledProgram;
  private readonly views: MemoryViews;
  private readonly callerOf: (kernel: Kernel) => KernelCaller;
  private readonly block: number;

  /** @param block byte address of room for the values of a block, and behind it for a block of each of the graph's ranks */
  constructor(program: CompiledProgram, views: MemoryViews, callerOf: (kernel: Kernel) => KernelCaller, block: number) {
    this.program = program;
    this.views = views;
    this.callerOf = callerOf;
    this.block = block;
  }

  /** The scalars of each row: `visit` is called once for each, in order, and may add to them. */
  forEachRow(
    stages: readonly Stage[],
    rows: Rows,
    scalars: Scalars,
    visit: (scalars: Record<string, number>, row: number) => void,
  ): void {
    const names = stages.flatMap((stage) => stage.outputs);
    const found = new Float64Array(names.length * rows.rows);
    const current: Record<string, number> = { ...scalars };
    for (const name of names) current[name] = Number.NaN;
    const enter = (row: number): Record<string, number> => {
      for (let i = 0; i < names.length; i++) current[names[i]!] = found[names.length * row + i]!;
      return current;
    };
    let first = 0;
    for (const stage of stages) {
      const [from, width] = [first, names.length];
      const put = (row: number, output: number, value: number): void => {
        found[width * row + from + output] = value;
      };
      if (stage.family === "reduce") this.reduce(stage, rows, enter, put);
      else this.select(stage, rows, enter, put);
      first += stage.outputs.length;
    }
    for (let row = 0; row < rows.rows; row++) visit(enter(row), row);
  }

  private reduce(
    stage: Stage,
    rows: Rows,
    enter: (row: number) => Scalars,
    put: (row: number, output: number, value: number) => void,
  ): void {
    const { kernel, reductions } = this.program.stageKernels.get(stage)!;
    const caller = this.callerOf(kernel);
    caller.prepare(enter(0));
    const same = kernel.readsRows ? undefined : caller.uniformsOf(enter(0));
    const uniforms = Array.from({ length: rows.rows }, (_, row) => same ?? caller.uniformsOf(enter(row)));
    const kinds = reductions.map((r) => r.kind);
    const both = (place: number, i: number, kind: ReductionKind): [number, number] => [
      caller.result(place, i, 0, kind),
      caller.result(place, i, 1, kind),
    ];
    if (rows.rowElements <= BLOCK_ELEMENTS) {
      const runs = uniforms.map((u): Run => ({ elements: rows.rowElements, uniforms: u }));
      for (const chunk of chunksOf(rows))
        caller.call(chunk, runs, (row, place) => {
          for (let i = 0; i < kinds.length; i++) put(row, i, sumOfTwo(kinds[i]!, ...both(place, i, kinds[i]!)));
        });
      return;
    }
    const totals = kinds.map((kind) => new Total(kind));
    for (const chunk of chunksOf(rows))
      caller.call(chunk, [{ elements: chunk.elements, uniforms: uniforms[0]! }], (_, place) => {
        totals.forEach((total, i) => {
          for (const value of both(place, i, kinds[i]!)) total.add(value);
        });
      });
    totals.forEach((total, i) => {
      const value = total.result();
      put(0, i, typeof value === "number" ? value : roundExact(value));
    });
  }

  private select(
    stage: Stage,
    rows: Rows,
    enter: (row: number) => Scalars,
    put: (row: number, output: number, value: number) => void,
  ): void {
    const { graph } = this.program;
    const places = stage.statistics.map((s) => stage.outputs.indexOf(graph.nameOf(s)));
    const byValue = Map.groupBy(stage.statistics.keys(), (i) => stage.statistics[i]!.args[0]!);
    for (const [value, statistics] of byValue) {
      const sorted = this.fill(value, rows, enter);
      sorted.sort(rows.rows, rows.rowElements);
      for (const i of statistics) {
        const statistic = stage.statistics[i]!;
        const rankOf = rankProgram(graph, statistic);
        const same = dependsOnRows(statistic.args[1]!) ? undefined : rankOf(enter(0), rows.rowElements);
        for (let row = 0; row < rows.rows; row++) {
          const rank = same ?? rankOf(enter(row), rows.rowElements);
          const { threshold, cutoff } = sorted.largest(row, rank);
          put(row, places[i]!, threshold);
          if (statistic.exact) put(row, stage.outputs.indexOf(cutoffName(graph.nameOf(statistic))), cutoff);
        }
      }
    }
  }

  /** Finds the ranks a kernel reads. The result lays those of a chunk where the kernel reads them. */
  ranks(kernel: Kernel, rows: Rows, scalars: Scalars): (chunk: RowChunk) => Chunk {
    const { graph } = this.program;
    if (kernel.ranks.length === 0) return (chunk) => chunk;
    const inOneChunk = rows.rows * rows.rowElements <= BLOCK_ELEMENTS;
    const found = kernel.ranks.map((rank) => {
      const at = this.block + BLOCK_BYTES * (1 + rank);
      const sorted = this.fill(graph.ranks[rank]!.args[0]!, rows, () => scalars);
      const ranks = sorted.ranks(rows.rows, rows.rowElements);
      if (inOneChunk) this.views.floats.set(ranks, at >>> 2);
      return { at, place: graph.inputs.length + rank, kept: inOneChunk ? undefined : ranks.slice() };
    });
    return (chunk) => {
      const addresses = [...chunk.inputs];
      for (const { at, place, kept } of found) {
        const { rowIndex, elements } = chunk;
        if (kept) this.views.floats.set(kept.subarray(rowIndex, rowIndex + elements), at >>> 2);
        // Kernels count from where the segment starts.
        addresses[place] = at - 4 * chunk.skip;
      }
      return { ...chunk, inputs: addresses };
    };
  }

  /** Gives the sorter the values of an expression. */
  private fill(value: Expr, rows: Rows, enter: (row: number) => Scalars): RowSorter {
    sorter ??= new RowSorter();
    const kernel = this.program.valueKernels.get(value)!;
    const caller = this.callerOf(kernel);
    const values = sorter.values(rows.rows * rows.rowElements);
    caller.prepare(enter(0));
    const same = kernel.readsRows ? undefined : caller.uniformsOf(enter(0));
    for (const chunk of chunksOf(rows)) {
      const runs = same
        ? [{ elements: chunk.elements, uniforms: same }]
        : Array.from({ length: rows.rows }, (_, row) => ({
            elements: Math.min(rows.rowElements, chunk.elements),
            uniforms: caller.uniformsOf(enter(row)),
          }));
      caller.call({ ...chunk, output: this.block - 4 * chunk.skip }, runs);
      values.set(this.views.floats.subarray(this.block >>> 2, (this.block >>> 2) + chunk.elements), chunk.rowIndex);
    }
    return sorter;
  }
}
