// How the values of a reduction add up over the parts of a scope, exactly and in any order.
import type { ReductionKind } from "../expr.ts";
import type { ExactSum } from "../types.ts";
import { ExactAdder } from "./exact-sum.ts";

/** Adds up the values of one reduction. */
export class Total {
  private readonly kind: ReductionKind;
  private readonly adder = new ExactAdder();
  private value: number;

  constructor(kind: ReductionKind) {
    this.kind = kind;
    this.value = kind === "minimum" ? Infinity : kind === "maximum" ? -Infinity : 0;
  }

  add(value: number): void {
    switch (this.kind) {
      case "sum":
      case "dot":
        this.adder.add(value);
        break;
      case "count":
        this.value += value;
        break;
      case "minimum":
        this.value = Math.min(this.value, value);
        break;
      case "maximum":
        this.value = Math.max(this.value, value);
    }
  }

  result(): ExactSum | number {
    return this.kind === "sum" || this.kind === "dot" ? this.adder.result() : this.value;
  }
}

/** The result over two parts: what `Total` gives, rounded. */
export function sumOfTwo(kind: ReductionKind, a: number, b: number): number {
  if (kind === "minimum") return Math.min(a, b);
  return kind === "maximum" ? Math.max(a, b) : a + b;
}
