// The strategies that look at no score: scrambled Sobol points, and independent uniform ones.

import { createStream, purposes } from "../numerics/rng.ts";
import { sobolPoints } from "./start.ts";
import { firstNew, type Strategy, type Suggestion, usedUp } from "./strategy.ts";

export const sobol: Strategy = (context) => {
  const { spec, space, ledger } = context;
  return firstNew(sobolPoints(space, spec.seed, usedUp(context, "sobol")), ledger);
};

export const random: Strategy = ({ spec, space, ledger, id }) => {
  const stream = createStream(spec.seed, id, purposes.uniform);
  function* points(): Generator<Suggestion, never> {
    for (;;) {
      const unit = Float64Array.from({ length: space.size }, () => stream.uniform());
      space.spread(unit);
      yield { unit, origin: "random" };
    }
  }
  return firstNew(points(), ledger);
};
