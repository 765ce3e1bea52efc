// Weights >= 0 that sum to 1, by breaking a stick: coordinate k is the share that member k takes of what the members
// before it left, and the last member takes the rest. One coordinate fewer than members, so none is redundant, and 0 and
// 1 are reached exactly. Added in the members' order the weights give exactly 1: what is left after the sum s so far is
// 1 - s, which a double holds with an error that s + (1 - s) rounds away.

import { StudyError } from "../../errors.ts";
import type { SimplexDimension, Values } from "../dimensions.ts";
import { malformed, numberAt, type Part } from "./part.ts";

/** How far from 1 the sum of weights from outside may be: rounding, and no more. */
const sumTolerance = 1e-9;
/** A rest smaller than this is none: how it is shared makes no difference. */
const smallestRest = 1e-6;

export function simplexPart(dimension: SimplexDimension): Part {
  const { name, members } = dimension;
  const isName = (member: unknown): boolean => typeof member === "string" && member !== "";
  if (!Array.isArray(members) || members.length < 2 || !members.every(isName)) {
    throw malformed(dimension, "a simplex needs the names of at least two members");
  }
  const last = members.length - 1;
  /** The share with which member k takes as much as each after it. */
  const equalShare = (k: number): number => 1 / (members.length - k);

  const weightsAt = (unit: ArrayLike<number>, at: number): number[] => {
    let sum = 0;
    return members.map((_, k) => {
      const weight = k < last ? unit[at + k]! * (1 - sum) : 1 - sum;
      sum += weight;
      return weight;
    });
  };
  const sharesOf = (weights: readonly number[]): number[] => {
    let sum = 0;
    return weights.slice(0, last).map((weight, k) => {
      const rest = 1 - sum;
      sum += weight;
      if (rest < smallestRest) return equalShare(k);
      return 1 - sum < smallestRest ? 1 : weight / rest;
    });
  };
  const weightsOf = (values: Values): number[] => members.map((member) => numberAt(values, member));

  return {
    names: members,
    steps: members.slice(1).map(() => 0),
    centre: members.slice(1).map((_, k) => equalShare(k)),
    check(values) {
      const weights = weightsOf(values);
      const bad = weights.findIndex((weight) => !(weight >= 0));
      if (bad >= 0)
        throw new StudyError(`weight ${weights[bad]} of "${members[bad]}" in simplex "${name}" is not >= 0`);
      const sum = weights.reduce((total, weight) => total + weight, 0);
      if (Math.abs(sum - 1) > sumTolerance) {
        throw new StudyError(
          `the weights of simplex "${name}" sum to ${sum}: divide each by that, so that they sum to 1`,
        );
      }
    },
    toUnit: (values) => sharesOf(weightsOf(values)),
    toValues: weightsAt,
    snap: (unit, at) => unit.set(sharesOf(weightsAt(unit, at)), at),
    // Of a uniform point of the simplex, share k has the distribution function 1 - (1 - u)^(members after k).
    spread(unit, at) {
      for (let k = 0; k < last; k++) unit[at + k] = 1 - (1 - unit[at + k]!) ** (1 / (last - k));
    },
    neighbours: () => [],
    gridSize: (levels) => compositions(levels - 1, members.length),
    gridPoint: (levels, index) => sharesOf(composition(levels - 1, members.length, index).map((c) => c / (levels - 1))),
  };
}

/** The number of ways to write `total` as an ordered sum of `parts` whole numbers >= 0. */
function compositions(total: number, parts: number): bigint {
  let ways = 1n;
  for (let k = 1; k < parts; k++) ways = (ways * BigInt(total + k)) / BigInt(k);
  return ways;
}

/** Way `index` of them, in ascending order. */
function composition(total: number, parts: number, index: bigint): number[] {
  const result: number[] = [];
  let left = total;
  let rank = index;
  for (let after = parts - 1; after > 0; after--) {
    let part = 0;
    for (let ways = compositions(left, after); rank >= ways; ways = compositions(left - part, after)) {
      rank -= ways;
      part++;
    }
    result.push(part);
    left -= part;
  }
  return [...result, left];
}
