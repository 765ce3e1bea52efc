// Squared exponential covariance: infinitely smooth sample paths. Best where the score is smooth and mostly noise hides
// it (Rasmussen and Williams 2006, eq. 4.9).

import type { Kernel } from "./kernel.ts";

export const rbf: Kernel = {
  correlation: (r2) => Math.exp(-0.5 * r2),
  derivative: (r2) => -0.5 * Math.exp(-0.5 * r2),
};
