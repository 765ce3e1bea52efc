// Matern covariance with smoothness 5/2: sample paths twice differentiable, the usual choice for tuning problems
// (Snoek, Larochelle, Adams 2012; Rasmussen and Williams 2006, eq. 4.17).

import type { Kernel } from "./kernel.ts";

export const matern52: Kernel = {
  correlation(r2) {
    const s = Math.sqrt(5 * r2);
    return (1 + s + (s * s) / 3) * Math.exp(-s);
  },
  derivative(r2) {
    const s = Math.sqrt(5 * r2);
    return (-5 / 6) * (1 + s) * Math.exp(-s);
  },
};
