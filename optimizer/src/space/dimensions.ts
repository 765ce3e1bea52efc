// What a user declares: the dimensions of a search space and the values a point has in them. Their checks are with the
// parts they become.

/** A real parameter in [low, high]; `scale: "log"` (low > 0) makes equal ratios equally far apart. */
export interface FloatDimension {
  readonly name: string;
  readonly kind: "float";
  readonly low: number;
  readonly high: number;
  readonly scale?: "linear" | "log";
}

/** A whole number in [low, high], both ends included; `scale: "log"` (low >= 1) makes equal ratios equally far apart. */
export interface IntegerDimension {
  readonly name: string;
  readonly kind: "integer";
  readonly low: number;
  readonly high: number;
  readonly scale?: "linear" | "log";
}

/** One of a few choices that have no order. */
export interface CategoricalDimension {
  readonly name: string;
  readonly kind: "categorical";
  readonly choices: readonly (string | number)[];
}

/**
 * Weights >= 0 that sum to 1. A point has one value for each member, under the member's name; the dimension's own name
 * stands for all of them, in messages and in the importance.
 */
export interface SimplexDimension {
  readonly name: string;
  readonly kind: "simplex";
  readonly members: readonly string[];
}

/** A value that is the same in every point. So are a range with low === high and a single choice. */
export interface FixedDimension {
  readonly name: string;
  readonly kind: "fixed";
  readonly value: string | number;
}

export type Dimension = FloatDimension | IntegerDimension | CategoricalDimension | SimplexDimension | FixedDimension;

/** One point of the space: a value for every dimension, and for every member of a simplex, by name. */
export type Values = Readonly<Record<string, number | string>>;
