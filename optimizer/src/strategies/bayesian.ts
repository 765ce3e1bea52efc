// The default: a structured start, then what the model proposes.

import { proposeByModel } from "./propose.ts";
import { needsMetrics, proposeByMetrics } from "./propose-metrics.ts";
import { defaultInitialTrials, startPoints } from "./start.ts";
import { firstNew, type Strategy } from "./strategy.ts";

export const bayesian: Strategy = ({ spec, goal, space, ledger, id, model, metricModels }) => {
  const initialTrials = spec.initialTrials ?? defaultInitialTrials(space.size);
  const enough = Math.max(2, Math.ceil(initialTrials / 2));
  if (ledger.trials.length < initialTrials || ledger.completed().length < enough) {
    return firstNew(startPoints(space, spec.seed), ledger);
  }
  const { seed, replicates = false } = spec;
  if (needsMetrics(goal)) {
    const scored = goal.tradeOff === undefined && !goal.isWorst ? model() : undefined;
    const input = { space, ledger, goal, models: metricModels(), scored, seed, trial: id };
    return { origin: "model", ...proposeByMetrics(input) };
  }
  const { unit, record } = proposeByModel({ space, ledger, model: model(), replicates, seed, trial: id });
  return { unit, origin: "model", record: { model: record } };
};
