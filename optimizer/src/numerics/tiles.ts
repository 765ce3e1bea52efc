// Many right-hand sides at a time through the WebAssembly tiles: rows of an ordinary matrix are transposed into the
// module's memory, reduced there panel by panel, and written back. Between calls nothing of value lies there.

import { elementStride, panelStride, type TileModule, tileModuleBytes } from "./tile-module.ts";

/** Columns of a panel of L. */
export const panel = 64;
/** Right-hand sides that the memory holds. */
export const rowsAtOnce = 128;

/** The part of the WebAssembly interface used here; a pure package sees neither the DOM's nor Node's globals. */
interface WebAssemblyHost {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: TileModule };
}
const host = (globalThis as unknown as { readonly WebAssembly: WebAssemblyHost }).WebAssembly;
const tiles = new host.Instance(new host.Module(tileModuleBytes())).exports;

// In doubles: the panel of L at 0, its reciprocals behind it, the elements of the right-hand sides from the next page on.
const pageBytes = 65_536;
const panelWidth = panelStride / 8;
const width = elementStride / 8;
const reciprocalsAt = panel * panelWidth;
const elementsAt = pageBytes / 8;

let memory = new Float64Array(tiles.memory.buffer);

/** Room for so many elements, and for a tile that begins with the last one. */
export function reserve(elements: number): void {
  const pages = 1 + Math.ceil(((elements + 4) * elementStride) / pageBytes);
  const missing = pages - tiles.memory.buffer.byteLength / pageBytes;
  if (missing <= 0) return;
  tiles.memory.grow(missing);
  memory = new Float64Array(tiles.memory.buffer);
}

const addressOf = (element: number): number => 8 * elementsAt + element * elementStride;

/** Lanes a tile takes: rows up to a multiple of four. */
const lanesFor = (rows: number): number => rows + 3 - ((rows + 3) % 4);

/** Elements `from` to `to` of `rows` rows of x become elements `base` + `from` .. of the right-hand sides. */
export function loadRows(
  x: Float64Array,
  start: number,
  stride: number,
  rows: number,
  from: number,
  to: number,
  base = 0,
): void {
  const lanes = lanesFor(rows);
  for (let r = 0; r < lanes; r++) {
    const isRow = r < rows;
    const row = start + r * stride;
    let at = elementsAt + (base + from) * width + r;
    for (let e = from; e < to; e++, at += width) memory[at] = isRow ? x[row + e]! : 0;
  }
}

/** The reverse of `loadRows`, each element times `factor`. */
export function storeRows(
  x: Float64Array,
  start: number,
  stride: number,
  rows: number,
  from: number,
  to: number,
  base = 0,
  factor = 1,
): void {
  for (let r = 0; r < rows; r++) {
    const row = start + r * stride;
    let at = elementsAt + (base + from) * width + r;
    for (let e = from; e < to; e++, at += width) x[row + e] = memory[at]! * factor;
  }
}

/** Elements `base` + `from` to `to` of all right-hand sides become 0. */
export function clearElements(from: number, to: number, base: number): void {
  memory.fill(0, elementsAt + (base + from) * width, elementsAt + (base + to) * width);
}

/**
 * x[base + j] -= sum over k in [k0, k1) of x[k] l[j, k], for j from `start` to `end`; at most one panel of either. Row
 * j of L lies at `at` + (j - start) * `stride`.
 */
export function subtractPanel(
  l: Float64Array,
  at: number,
  stride: number,
  start: number,
  end: number,
  rows: number,
  k0: number,
  k1: number,
  base = 0,
): void {
  const groups = packPanel(l, at, stride, end - start, k0, k1);
  tiles.subtract(addressOf(k0), addressOf(base + start), 0, 8 * lanesFor(rows), groups, k1 - k0);
}

/** Solves elements `start` to `end` of one panel, which begins at element `k0`. */
export function solvePanel(
  l: Float64Array,
  at: number,
  stride: number,
  start: number,
  end: number,
  rows: number,
  k0: number,
): void {
  const groups = packPanel(l, at, stride, end - start, k0, end);
  for (let j = start; j < start + 4 * groups; j++) {
    memory[reciprocalsAt + j - start] = j < end ? 1 / l[at + (j - start) * stride + j]! : 1;
  }
  tiles.solve(addressOf(k0), start - k0, 0, 8 * lanesFor(rows), groups, 8 * reciprocalsAt);
}

/** Copies `count` rows of L, columns `k0` to `k1`, to the panel; returns how many groups of four rows that makes. */
function packPanel(l: Float64Array, at: number, stride: number, count: number, k0: number, k1: number): number {
  const groups = Math.ceil(count / 4);
  for (let j = 0; j < 4 * groups; j++) {
    const row = at + j * stride;
    const to = j * panelWidth - k0;
    if (j < count) for (let k = k0; k < k1; k++) memory[to + k] = l[row + k]!;
    else memory.fill(0, to + k0, to + k1 + 4);
  }
  return groups;
}
