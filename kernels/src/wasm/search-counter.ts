// What one pass finds for the searches of a stage: counts from the kernel's memory, and after every call what it stored.
import { MOST_LISTED } from "../statistics/search.ts";
import type { Histogram, Search } from "../types.ts";
import type { Chunk, KernelCaller, MemoryViews, Run } from "./caller.ts";
import { readCounts, readInside, readStored, type Stored, startStoring, writeSearches } from "./read-back.ts";

export class SearchCounter {
  private readonly views: MemoryViews;
  private readonly caller: KernelCaller;
  private readonly searches: readonly Search[];
  private readonly listed: (Stored | undefined)[];
  private readonly chunks: [start: number, equals: number][][];
  private readonly inside: number[];
  elements = 0;

  /** Clears the kernel's counters: nothing else may use its memory until the result is read. */
  constructor(views: MemoryViews, caller: KernelCaller, searches: readonly Search[], sample: boolean) {
    this.views = views;
    this.caller = caller;
    this.searches = searches;
    this.listed = searches.map((s) => (sample || isOneValue(s) ? undefined : { keys: [], indexes: [] }));
    this.chunks = searches.map(() => []);
    this.inside = searches.map(() => 0);
    writeSearches(views, caller.extra, searches);
  }

  count(chunk: Chunk, runs: readonly Run[]): void {
    const { extra } = this.caller;
    this.searches.forEach((_, i) => {
      startStoring(this.views, extra, i, this.listed[i] !== undefined);
    });
    this.caller.call(chunk, runs);
    this.elements += chunk.elements;
    this.searches.forEach((search, i) => {
      if (search.phase === "search" && isOneValue(search)) this.countInChunk(i, chunk.tensorIndex);
      const listed = this.listed[i];
      if (!listed) return;
      const complete = readStored(this.views, extra, i, chunk.tensorIndex, listed);
      if (!complete || listed.keys.length > MOST_LISTED) this.listed[i] = undefined;
    });
  }

  result(): Histogram[] {
    return this.searches.map((_, i) => {
      const counts = readCounts(this.views, this.caller.extra, i, this.elements);
      const listed = this.listed[i];
      return { ...counts, chunks: this.chunks[i]!, ...(listed && { listed }) };
    });
  }

  /** How many of these elements have the one value of a search. */
  equals(search: number, chunk: Chunk, runs: readonly Run[]): number {
    const before = readInside(this.views, this.caller.extra, search);
    this.caller.call(chunk, runs);
    return readInside(this.views, this.caller.extra, search) - before;
  }

  private countInChunk(search: number, chunk: number): void {
    const inside = readInside(this.views, this.caller.extra, search);
    if (inside > this.inside[search]!) this.chunks[search]!.push([chunk, inside - this.inside[search]!]);
    this.inside[search] = inside;
  }
}

const isOneValue = (search: Search): boolean => search.low === search.high;
