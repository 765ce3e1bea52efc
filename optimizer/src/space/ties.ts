// Coarser spaces inside a space: dimensions that are tied together take one value. A coarse point has an exact image in
// the fine space, where every dimension has the value of the one that it is tied to.

import { StudyError } from "../errors.ts";
import type { Dimension, Values } from "./space.ts";

/** Names of coarse dimensions by the names of the dimensions tied to them. Dimensions that it leaves out stay themselves. */
export type Ties = Readonly<Record<string, string>>;

export interface TiedDimensions {
  /** The coarse ones, in the order in which the fine ones first name them. */
  readonly dimensions: readonly Dimension[];
  /** The image of a coarse point. */
  toFine(values: Values): Values;
  /** The coarse point whose image this is, undefined where there is none. */
  toCoarse(values: Values): Values | undefined;
}

/** Throws StudyError for ties of unknown dimensions, and of dimensions that differ in more than their names. */
export function tieDimensions(dimensions: readonly Dimension[], ties: Ties): TiedDimensions {
  for (const name of Object.keys(ties)) {
    const { kind } = dimensions.find((dimension) => dimension.name === name) ?? {};
    if (kind === undefined) throw new StudyError(`"${name}" is tied to "${ties[name]}", but is no dimension`);
    if (kind === "simplex") throw new StudyError(`"${name}" is a simplex, and only single values can be tied`);
  }
  const parentOf = (name: string): string => (Object.hasOwn(ties, name) ? ties[name]! : name);
  const parents = dimensions.flatMap((dimension) =>
    dimension.kind === "simplex"
      ? dimension.members.map((member) => [member, member] as const)
      : [[dimension.name, parentOf(dimension.name)] as const],
  );
  const coarse = new Map<string, Dimension>();
  for (const fine of dimensions) {
    const { name } = fine;
    const parent = parentOf(name);
    const dimension = { ...fine, name: parent };
    const known = coarse.get(parent);
    if (known !== undefined && !isSame(known, dimension)) {
      throw new StudyError(`dimension "${name}" is tied to "${parent}" with others of another kind or range`);
    }
    coarse.set(parent, known ?? dimension);
  }
  return {
    dimensions: [...coarse.values()],
    toFine: (values) => Object.fromEntries(parents.map(([name, parent]) => [name, values[parent]!])),
    toCoarse(values) {
      const found: Record<string, Values[string]> = {};
      for (const [name, parent] of parents) {
        const value = values[name]!;
        if (Object.hasOwn(found, parent) && found[parent] !== value) return undefined;
        found[parent] = value;
      }
      return found;
    },
  };
}

/** Whether what `fine` ties together is together in `coarse` too, so that every image of `coarse` is one of `fine`. */
export function areNested(dimensions: readonly Dimension[], coarse: Ties, fine: Ties): boolean {
  const parentOf = (ties: Ties, name: string): string => (Object.hasOwn(ties, name) ? ties[name]! : name);
  const seen = new Map<string, string>();
  return dimensions.every(({ name }) => {
    const [above, below] = [parentOf(coarse, name), parentOf(fine, name)];
    const known = seen.get(below) ?? above;
    seen.set(below, known);
    return known === above;
  });
}

function isSame(a: Dimension, b: Dimension): boolean {
  const entries = (dimension: Dimension): string => JSON.stringify(Object.entries(dimension).toSorted());
  return entries(a) === entries(b);
}
