// How the values of a reduction add up over the chunks of a segment.
import type { ReductionKind } from "../expr.ts";
import type { ExactSum } from "../types.ts";
import { addExact, exactly, ZERO } from "./exact-sum.ts";

export function emptyReduction(kind: ReductionKind): ExactSum | number {
  if (kind === "sum" || kind === "dot") return ZERO;
  return kind === "count" ? 0 : kind === "minimum" ? Infinity : -Infinity;
}

export function addReduction(kind: ReductionKind, into: ExactSum | number, value: number): ExactSum | number {
  if (typeof into !== "number") return addExact(into, exactly(value));
  if (kind === "count") return into + value;
  return kind === "minimum" ? Math.min(into, value) : Math.max(into, value);
}
