// Matern covariance with smoothness 5/2: sample paths twice differentiable, the usual choice for tuning problems
// (Snoek, Larochelle, Adams 2012; Rasmussen and Williams 2006, eq. 4.17).

import type { Kernel } from "./kernel.ts";

export const matern52: Kernel = {
  correlate(values, count, derivatives) {
    for (let i = 0; i < count; i++) {
      const s = Math.sqrt(5 * values[i]!);
      const decay = Math.exp(-s);
      values[i] = (1 + s + (s * s) / 3) * decay;
      if (derivatives !== undefined) derivatives[i] = (-5 / 6) * (1 + s) * decay;
    }
  },
};
