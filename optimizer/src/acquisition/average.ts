// One acquisition of several models: the weighted mean of their expected improvements.

import type { Acquisition } from "./acquisition.ts";

export interface WeightedAcquisition {
  /** Logarithm of the model's weight, and of the factor that brings its improvements to common units. */
  readonly logWeight: number;
  readonly acquisition: Acquisition;
}

/** log sum_m weight_m exp(acquisition_m) */
export function averageAcquisitions(parts: readonly WeightedAcquisition[]): Acquisition {
  if (parts.length === 1) return shift(parts[0]!);
  const logs = new Float64Array(parts.length);
  const combine = (): number => {
    const largest = Math.max(...logs);
    return largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0));
  };
  return {
    value(x) {
      for (const [m, { logWeight, acquisition }] of parts.entries()) logs[m] = logWeight + acquisition.value(x);
      return combine();
    },
    valueAndGradient(x, gradient) {
      const gradients = parts.map(({ logWeight, acquisition }, m) => {
        const own = new Float64Array(gradient.length);
        logs[m] = logWeight + acquisition.valueAndGradient(x, own);
        return own;
      });
      const value = combine();
      gradient.fill(0);
      for (const [m, own] of gradients.entries()) {
        const share = Math.exp(logs[m]! - value);
        for (let k = 0; k < gradient.length; k++) gradient[k]! += share * own[k]!;
      }
      return value;
    },
  };
}

function shift({ logWeight, acquisition }: WeightedAcquisition): Acquisition {
  return {
    value: (x) => logWeight + acquisition.value(x),
    valueAndGradient: (x, gradient) => logWeight + acquisition.valueAndGradient(x, gradient),
  };
}
