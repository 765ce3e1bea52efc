// Squared exponential covariance: infinitely smooth sample paths. Best where the score is smooth and mostly noise hides
// it (Rasmussen and Williams 2006, eq. 4.9).

import type { Kernel } from "./kernel.ts";

export const rbf: Kernel = {
  correlate(values, count, derivatives) {
    for (let i = 0; i < count; i++) {
      const correlation = Math.exp(-0.5 * values[i]!);
      values[i] = correlation;
      if (derivatives !== undefined) derivatives[i] = -0.5 * correlation;
    }
  },
};
