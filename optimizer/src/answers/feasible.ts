// Which evaluated points may be recommended under constraints: those whose true values keep every bound with a
// probability of at least 0.9. Where there is none, the point comes first that is most likely to, and the answer says
// that it is not good enough.

import { rankByMean } from "../acquisition/leaders.ts";
import { likeliestFirst, type MetricModels } from "../model/metric-models.ts";
import type { Model } from "../model/model.ts";

/** Points less likely to keep all bounds are recommended only for want of better ones. */
export const leastProbability = 0.9;

/** Indices of the model's trials that keep the bounds, by posterior mean; if none does, of all, by how likely they do. */
export function rankFeasible(model: Model, metrics: MetricModels): number[] {
  const byMean = rankByMean(model).map((index) => ({ index, unit: model.trials[index]!.unit }));
  const keeping = byMean.filter(({ unit }) => metrics.probabilityFeasible(unit) >= leastProbability);
  return (keeping.length > 0 ? keeping : likeliestFirst(metrics, byMean)).map(({ index }) => index);
}
