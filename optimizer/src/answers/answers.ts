// What a study can be asked about. No answer changes the study: nothing here is an event.

import { StudyError } from "../errors.ts";
import type { Prediction } from "../model/ensemble.ts";
import type { MetricModels } from "../model/metric-models.ts";
import type { Model } from "../model/model.ts";
import type { Goal } from "../objective/goal.ts";
import type { Space, Values } from "../space/space.ts";
import type { StudySpec } from "../study/events.ts";
import type { Ledger } from "../study/ledger.ts";
import { totalEffects } from "./importance.ts";
import { frontOf, type ParetoFront } from "./pareto.ts";
import { type Recommendation, recommendFrom } from "./recommend.ts";

export interface Answers {
  /** The point to use now, or undefined while no trial is complete. */
  recommend(): Recommendation | undefined;
  /**
   * The trade-offs found so far between the metrics of a Pareto objective, else between all of the study's; undefined
   * while no trial is complete. Throws StudyError for a study of one metric.
   */
  pareto(): ParetoFront | undefined;
  /** Beliefs about the true score at each point. Throws StudyError while no trial is complete. */
  predict(points: readonly Values[]): Prediction[];
  /** Share of the score's variation each dimension causes, by name; all 0 while nothing is known, 0 if fixed. */
  importance(): Record<string, number>;
}

/** What the answers are about; the models are only to be called while a trial is complete. */
export interface Asked {
  readonly spec: StudySpec;
  readonly space: Space;
  readonly ledger: Ledger;
  readonly goal: Goal;
  readonly model: () => Model;
  readonly metricModels: () => MetricModels;
}

export function createAnswers({ spec, space, ledger, goal, model, metricModels }: Asked): Answers {
  const { seed } = spec;
  return {
    recommend: () => (ledger.completed().length === 0 ? undefined : recommendFrom(model(), metricModels(), seed)),
    pareto() {
      const traded = goal.tradeOff?.metrics ?? [...goal.metrics.keys()];
      if (traded.length < 2) throw new StudyError("a front of trade-offs needs a study of two metrics or more");
      return ledger.completed().length === 0 ? undefined : frontOf(goal, traded, metricModels(), seed);
    },
    predict(points) {
      for (const values of points) space.check(values);
      if (ledger.completed().length === 0) throw new StudyError("nothing to predict from: no trial is complete yet");
      return points.map((values) => model().predict(space.toUnit(values)));
    },
    importance() {
      const effects = ledger.completed().length < 2 ? undefined : totalEffects(model(), space, seed);
      const shareOf = (name: string): number => effects?.[space.groups.findIndex((group) => group.name === name)] ?? 0;
      return Object.fromEntries(spec.dimensions.map(({ name }) => [name, shareOf(name)]));
    },
  };
}
