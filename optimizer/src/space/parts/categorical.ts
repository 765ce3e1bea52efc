// A choice without order: one coordinate for each choice, 1 for the one that is made and 0 for the others, so that the
// model sees them equally far apart. Any other point stands for its largest coordinate, the first among equals.

import { StudyError } from "../../errors.ts";
import type { CategoricalDimension } from "../dimensions.ts";
import { malformed, type Part } from "./part.ts";

const mostChoices = 64;

export function categoricalPart(dimension: CategoricalDimension): Part {
  const { name, choices } = dimension;
  const isChoice = (choice: unknown): boolean =>
    typeof choice === "string" || (typeof choice === "number" && Number.isFinite(choice));
  if (!Array.isArray(choices) || choices.length === 0 || !choices.every(isChoice)) {
    throw malformed(dimension, "choices must be a list of strings or finite numbers, at least one");
  }
  const repeated = choices.find((choice, k) => choices.indexOf(choice) < k);
  if (repeated !== undefined) throw malformed(dimension, `the choice ${JSON.stringify(repeated)} is there twice`);
  if (choices.length > mostChoices) {
    throw malformed(
      dimension,
      `${choices.length} choices are more than ${mostChoices}: if they have an order use an integer dimension`,
    );
  }
  const oneHot = (chosen: number): number[] => choices.map((_, k) => (k === chosen ? 1 : 0));
  const chosenAt = (unit: ArrayLike<number>, at: number): number => {
    let chosen = 0;
    for (let k = 1; k < choices.length; k++) if (unit[at + k]! > unit[at + chosen]!) chosen = k;
    return chosen;
  };
  const snap = (unit: Float64Array, at: number): void => unit.set(oneHot(chosenAt(unit, at)), at);
  return {
    names: [name],
    steps: choices.map(() => 1),
    centre: choices.map(() => 0.5),
    check(values) {
      const value = values[name]!;
      if (!choices.includes(value)) {
        const known = choices.map((choice) => JSON.stringify(choice)).join(", ");
        throw new StudyError(`value ${JSON.stringify(value)} of dimension "${name}" is not one of ${known}`);
      }
    },
    toUnit: (values) => oneHot(choices.indexOf(values[name]!)),
    toValues: (unit, at) => [choices[chosenAt(unit, at)]!],
    snap,
    spread: snap,
    neighbours: (unit, at) => {
      const chosen = chosenAt(unit, at);
      return choices.flatMap((_, k) => (k === chosen ? [] : [oneHot(k)]));
    },
    gridSize: () => BigInt(choices.length),
    gridPoint: (_, index) => oneHot(Number(index)),
  };
}
