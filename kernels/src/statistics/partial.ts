// Partial results of passes: merging, which no order or grouping changes, and their form on the wire.
import type { ExactSum, Histogram, StagePartial, StageState } from "../types.ts";
import { addExact } from "./exact-sum.ts";
import { MOST_LISTED } from "./search.ts";

type Reduced = Extract<StagePartial, { kind: "reduce" }>;
/** More listed values than this stay at home: encoded they would be long, and a further pass finds what they tell. */
const MOST_ENCODED = 4096;

/** Merges the results of the same pass over two different parts of a scope. Associative and commutative, to the bit. */
export function mergePartials(a: StagePartial, b: StagePartial): StagePartial {
  if (a.kind === "reduce" && b.kind === "reduce")
    return { kind: "reduce", kinds: a.kinds, values: a.values.map((v, i) => mergeReduced(a, v, b.values[i]!, i)) };
  if (a.kind === "histogram" && b.kind === "histogram") {
    const searches = a.searches.map((s, i) => addHistograms(s, b.searches[i]!));
    return { kind: "histogram", elements: a.elements + b.elements, searches };
  }
  if (a.kind === "locate" && b.kind === "locate")
    return { kind: "locate", indexes: a.indexes.map((x, i) => Math.max(x, b.indexes[i]!)) };
  throw new TypeError(`a ${a.kind} result and a ${b.kind} result are not from the same pass`);
}

function addHistograms(a: Histogram, b: Histogram): Histogram {
  const above = a.above + b.above;
  const counts = a.counts.map((n, bin) => n + b.counts[bin]!);
  const chunks = byStart([...a.chunks, ...b.chunks]);
  if (!a.listed || !b.listed || a.listed.keys.length + b.listed.keys.length > MOST_LISTED)
    return { above, counts, chunks };
  const keys = [...a.listed.keys, ...b.listed.keys];
  const indexes = [...a.listed.indexes, ...b.listed.indexes];
  return { above, counts, chunks, listed: { keys, indexes } };
}

function mergeReduced(of: Reduced, a: ExactSum | number, b: ExactSum | number, i: number): ExactSum | number {
  if (typeof a !== "number" && typeof b !== "number") return addExact(a, b);
  const [x, y] = [Number(a), Number(b)];
  if (of.kinds[i] === "count") return x + y;
  return of.kinds[i] === "minimum" ? Math.min(x, y) : Math.max(x, y);
}

const byStart = (chunks: Histogram["chunks"][number][]): Histogram["chunks"] => chunks.sort((x, y) => x[0] - y[0]);

// JSON with what JSON lacks written as one-key objects; counts are sparse. Small, and readable in a journal.
type Tagged =
  | { readonly big: string }
  | { readonly number: string }
  | { readonly bins: number; readonly sparse: number[] };

function toPlain(key: string, value: unknown): unknown {
  if (key === "listed" && (value as Required<Histogram>["listed"]).keys.length > MOST_ENCODED) return undefined;
  if (typeof value === "bigint") return { big: value.toString(16) } satisfies Tagged;
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) } satisfies Tagged;
  if (!(value instanceof Float64Array)) return value;
  const sparse: number[] = [];
  value.forEach((count, bin) => {
    if (count) sparse.push(bin, count);
  });
  return { bins: value.length, sparse } satisfies Tagged;
}

function fromPlain(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("big" in value) return fromHex(String(value.big));
  if ("number" in value) return Number(value.number);
  if (!("sparse" in value && "bins" in value)) return value;
  const sparse = value.sparse as number[];
  const counts = new Float64Array(Number(value.bins));
  for (let i = 0; i < sparse.length; i += 2) counts[sparse[i]!] = sparse[i + 1]!;
  return counts;
}

const fromHex = (hex: string): bigint => (hex.startsWith("-") ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`));

function encode(value: StagePartial | StageState): Uint8Array {
  const text = JSON.stringify(value, toPlain);
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function decode(bytes: Uint8Array): unknown {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return JSON.parse(parts.join(""), fromPlain);
}

const KINDS: readonly unknown[] = ["reduce", "histogram", "locate"] satisfies StagePartial["kind"][];
const STATUSES: readonly unknown[] = ["reduce", "histogram", "locate", "done"] satisfies StageState["status"][];

export const encodePartial: (partial: StagePartial) => Uint8Array = encode;
export const encodeState: (state: StageState) => Uint8Array = encode;

/** Throws a SyntaxError or TypeError when the bytes are not an encoded partial result. */
export function decodePartial(bytes: Uint8Array): StagePartial {
  const value = decode(bytes) as StagePartial;
  if (!KINDS.includes(value?.kind)) throw new TypeError("these bytes are not a partial result of a statistic");
  return value;
}

/** Throws a SyntaxError or TypeError when the bytes are not an encoded state. */
export function decodeState(bytes: Uint8Array): StageState {
  const value = decode(bytes) as StageState;
  if (!STATUSES.includes(value?.status)) throw new TypeError("these bytes are not the state of a statistic");
  return value;
}
