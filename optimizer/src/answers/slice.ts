// The score along one dimension through a point: what the model believes, with its band, for a plot.

import { StudyError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import type { Dimension } from "../space/dimensions.ts";
import type { Space, Values } from "../space/space.ts";
import { normal95 } from "./recommend.ts";

export interface SlicePoint {
  /** Of the dimension; the others stay as they are. */
  readonly value: number | string;
  readonly mean: number;
  /** Central 95 % credible interval of the true score. */
  readonly credibleInterval: readonly [low: number, high: number];
}

/** At most `count` points from one end to the other, or one for each choice. Throws StudyError for a simplex or a fixed value. */
export function sliceOf(
  model: Model,
  space: Space,
  dimension: Dimension,
  through: Values,
  count: number,
): SlicePoint[] {
  const { name } = dimension;
  return valuesAlong(space, dimension, through, count).map((value) => {
    const { mean, standardDeviation } = model.predict(space.toUnit({ ...through, [name]: value }));
    const margin = normal95 * standardDeviation;
    return { value, mean, credibleInterval: [mean - margin, mean + margin] };
  });
}

function valuesAlong(space: Space, dimension: Dimension, through: Values, count: number): (number | string)[] {
  const { name, kind } = dimension;
  const group = space.groups.find((one) => one.name === name);
  if (group === undefined) throw new StudyError(`dimension "${name}" is fixed: there is nothing along it`);
  if (kind === "simplex")
    throw new StudyError(`dimension "${name}" is a simplex: its weights cannot change one at a time`);
  if (kind === "categorical") return [...dimension.choices];
  const unit = space.toUnit(through);
  const values = Array.from({ length: count }, (_, index) => {
    unit[group.from] = index / (count - 1);
    const snapped = unit.slice();
    space.snap(snapped);
    return space.toValues(snapped)[name]!;
  });
  return [...new Set(values)];
}
