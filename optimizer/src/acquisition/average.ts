// One acquisition of several models: the weighted mean of their expected improvements.

import type { Acquisition } from "./acquisition.ts";

export interface WeightedAcquisition {
  /** Logarithm of the model's weight, and of the factor that brings its improvements to common units. */
  readonly logWeight: number;
  readonly acquisition: Acquisition;
}

/** log sum_m weight_m exp(acquisition_m), over at least one part */
export function averageAcquisitions(parts: readonly WeightedAcquisition[]): Acquisition {
  return {
    evaluate(points, count, values, gradients) {
      const logs = parts.map(() => new Float64Array(count));
      const slopes = parts.map(() => gradients && new Float64Array(gradients.length));
      for (const [m, { logWeight, acquisition }] of parts.entries()) {
        acquisition.evaluate(points, count, logs[m]!, slopes[m]);
        for (let r = 0; r < count; r++) logs[m]![r]! += logWeight;
      }
      gradients?.fill(0);
      for (let r = 0; r < count; r++) {
        const largest = logs.reduce((most, log) => Math.max(most, log[r]!), Number.NEGATIVE_INFINITY);
        values[r] = largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log[r]! - largest), 0));
        if (gradients === undefined) continue;
        const d = gradients.length / count;
        for (const [m, log] of logs.entries()) {
          const share = Math.exp(log[r]! - values[r]!);
          for (let k = r * d; k < (r + 1) * d; k++) gradients[k]! += share * slopes[m]![k]!;
        }
      }
    },
  };
}
