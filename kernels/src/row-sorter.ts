// Sorts the rows of a block in a memory of its own, which grows to the longest row: what ranks and order statistics of rows need.
import { valueOfKey } from "./statistics/key.ts";
import { type CompiledModule, compileModule, createMemory, instantiate, type KernelFunction } from "./wasm/host.ts";
import { emitSort, SORT, SORT_BYTES } from "./wasm/sort.ts";

let module: CompiledModule | undefined;

export class RowSorter {
  private readonly memory = createMemory(SORT_BYTES);
  private readonly function: KernelFunction;
  private words = new Uint32Array(this.memory.buffer);
  private floats = new Float32Array(this.memory.buffer);
  private rowElements = 0;
  private room = 0;

  constructor() {
    module ??= compileModule(emitSort());
    this.function = instantiate(module, this.memory);
  }

  /** The place for that many values, row after row. */
  values(elements: number): Float32Array {
    this.reserve(elements);
    return this.floats.subarray(this.addressOf("values"), this.addressOf("values") + elements);
  }

  /** Sorts the values in their place, which are lost, so that `largest` finds some. */
  sort(rows: number, rowElements: number): void {
    this.run(rows, rowElements, false);
  }

  /**
   * For each value in its place, which is lost, its rank in its row: from 0 (smallest) to 1 (largest), rounded to float32; equals
   * by index. 0.5 for one value. They stay until the next call.
   */
  ranks(rows: number, rowElements: number): Float32Array {
    this.run(rows, rowElements, true);
    return this.floats.subarray(this.addressOf("ranks"), this.addressOf("ranks") + rows * rowElements);
  }

  /**
   * The value of that rank (1 = largest) in a row, and the index up to which equal ones are among the first `rank`, infinite where
   * all are. A rank below 1 gives what keeps none, one that is not below the number of values what keeps all.
   */
  largest(row: number, rank: number): { readonly threshold: number; readonly cutoff: number } {
    if (rank < 1) return { threshold: Infinity, cutoff: 0 };
    if (rank >= this.rowElements) return { threshold: -Infinity, cutoff: Infinity };
    const pairs = this.addressOf("pairs") + 2 * row * this.rowElements;
    const keyAt = (place: number): number => this.words[pairs + 2 * place + 1]!;
    const key = keyAt(this.rowElements - rank);
    const firstFrom = (isThere: (key: number) => boolean): number => {
      let [low, high] = [0, this.rowElements];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (isThere(keyAt(middle))) high = middle;
        else low = middle + 1;
      }
      return low;
    };
    const first = firstFrom((other) => other >= key);
    const end = firstFrom((other) => other > key);
    const kept = rank - (this.rowElements - end);
    const cutoff = kept < end - first ? this.words[pairs + 2 * (first + kept - 1)]! + 1 : Infinity;
    return { threshold: valueOfKey(key), cutoff };
  }

  private run(rows: number, rowElements: number, wantsRanks: boolean): void {
    this.rowElements = rowElements;
    this.words[SORT.rowElements / 4] = rowElements;
    this.words[SORT.wantsRanks / 4] = wantsRanks ? 1 : 0;
    this.function(0, rows);
  }

  private addressOf(part: "values" | "pairs" | "ranks"): number {
    return this.words[SORT[part] / 4]! / 4;
  }

  private reserve(elements: number): void {
    if (elements <= this.room) return;
    this.room = elements;
    // Vectors may reach beyond the last element.
    const bytes = 4 * elements + 16;
    const parts = [
      ["values", bytes],
      ["pairs", 2 * bytes],
      ["spare", 2 * bytes],
      ["ranks", bytes],
    ] as const;
    let end = Math.ceil(SORT_BYTES / 16) * 16;
    const starts = parts.map(([part, size]) => {
      const at = end;
      end += Math.ceil(size / 16) * 16;
      return [part, at] as const;
    });
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / 65_536);
    if (missing > 0) this.memory.grow(missing);
    this.words = new Uint32Array(this.memory.buffer);
    this.floats = new Float32Array(this.memory.buffer);
    for (const [part, at] of starts) this.words[SORT[part] / 4] = at;
  }
}
