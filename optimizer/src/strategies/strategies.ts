// The strategies by name, and what of a spec is theirs.

import { StudyError } from "../errors.ts";
import type { StudySpec } from "../study/events.ts";
import { bayesian } from "./bayesian.ts";
import { createCmaes } from "./cmaes.ts";
import { grid } from "./grid.ts";
import { random, sobol } from "./scattered.ts";
import type { Strategy } from "./strategy.ts";

const strategies: Readonly<Record<NonNullable<StudySpec["strategy"]>, () => Strategy>> = {
  bayesian: () => bayesian,
  random: () => random,
  sobol: () => sobol,
  grid: () => grid,
  cmaes: createCmaes,
};

/** The strategy of one study. Throws StudyError for a strategy that there is not, or an option that it does not have. */
export function createStrategy({ strategy = "bayesian", gridLevels }: StudySpec): Strategy {
  if (!Object.hasOwn(strategies, strategy)) {
    throw new StudyError(
      `strategy must be one of ${Object.keys(strategies).join(", ")}, not ${JSON.stringify(strategy)}`,
    );
  }
  if (gridLevels !== undefined) {
    if (strategy !== "grid") throw new StudyError(`gridLevels says nothing to strategy "${strategy}": remove it`);
    if (!Number.isSafeInteger(gridLevels) || gridLevels < 2) {
      throw new StudyError(`gridLevels must be a whole number >= 2, not ${gridLevels}`);
    }
  }
  return strategies[strategy]();
}
