// What one pass finds for the searches of a stage: counts from the kernel's memory, and after every call what it stored.
import { MOST_LISTED } from "../statistics/search.ts";
import type { Histogram, Search } from "../types.ts";
import type { MemoryViews } from "./caller.ts";
import { readCounts, readInside, readStored, type Stored, writeSearches } from "./read-back.ts";

export class SearchCounter {
  private readonly views: MemoryViews;
  private readonly extra: number;
  private readonly searches: readonly Search[];
  private readonly listed: (Stored | undefined)[];
  private readonly chunks: [start: number, equals: number][][];
  private readonly inside: number[];
  elements = 0;

  /** Clears the kernel's counters: nothing else may use its memory until the result is read. */
  constructor(views: MemoryViews, extra: number, searches: readonly Search[], sample: boolean) {
    this.views = views;
    this.extra = extra;
    this.searches = searches;
    this.listed = searches.map((s) => (sample || isOneValue(s) ? undefined : { keys: [], indexes: [] }));
    this.chunks = searches.map(() => []);
    this.inside = searches.map(() => 0);
    writeSearches(views, extra, searches);
  }

  /** After a call of the kernel for elements from that index, in the chunk that starts there. */
  collect(chunk: number, index: number, elements: number): void {
    this.elements += elements;
    this.searches.forEach((search, i) => {
      if (search.phase !== "search") return;
      if (isOneValue(search)) this.countInChunk(i, chunk);
      const listed = this.listed[i];
      if (!listed) return;
      const complete = readStored(this.views, this.extra, i, index, listed);
      if (!complete || listed.keys.length > MOST_LISTED) this.listed[i] = undefined;
    });
  }

  result(): Histogram[] {
    return this.searches.map((_, i) => {
      const counts = readCounts(this.views, this.extra, i, this.elements);
      const listed = this.listed[i];
      return { ...counts, chunks: this.chunks[i]!, ...(listed && { listed }) };
    });
  }

  private countInChunk(search: number, chunk: number): void {
    const inside = readInside(this.views, this.extra, search);
    const found = inside - this.inside[search]!;
    this.inside[search] = inside;
    if (found === 0) return;
    const chunks = this.chunks[search]!;
    const last = chunks.at(-1);
    if (last?.[0] === chunk) last[1] += found;
    else chunks.push([chunk, found]);
  }
}

const isOneValue = (search: Search): boolean => search.low === search.high;
