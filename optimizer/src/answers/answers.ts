// What a study can be asked about. No answer changes the study: nothing here is an event.

import { StudyError } from "../errors.ts";
import type { Prediction } from "../model/ensemble.ts";
import type { MetricModels } from "../model/metric-models.ts";
import type { Model } from "../model/model.ts";
import type { Goal } from "../objective/goal.ts";
import type { Space, Values } from "../space/space.ts";
import { defaultInitialTrials } from "../strategies/start.ts";
import type { StudySpec } from "../study/events.ts";
import type { Ledger } from "../study/ledger.ts";
import { type Calibration, calibrationOf } from "./calibration.ts";
import { type Importance, importanceOf, unimportant } from "./importance.ts";
import { type Improvement, improvementOf } from "./improvement.ts";
import { frontOf, type ParetoFront } from "./pareto.ts";
import { leadersOf, type Recommendation } from "./recommend.ts";
import { type SlicePoint, sliceOf } from "./slice.ts";
import { checkStopOptions, type StopOptions, type StopReport, stopReportOf } from "./stop.ts";

/** Every answer rests on the complete trials; unless said otherwise, without any it throws StudyError. */
export interface Answers {
  /** The point to use now, or undefined while no trial is complete. */
  recommend(): Recommendation | undefined;
  /** The evaluated points that are believed to be best, best first, at most `count`; none while no trial is complete. */
  leaders(count: number): Recommendation[];
  /**
   * What the recommended point gains over what one had before: over the best of these, given as points of the space or as
   * ids of trials.
   */
  improvementOver(baselines: readonly (Values | number)[]): Improvement;
  /**
   * The trade-offs found so far between the metrics of a Pareto objective, else between all of the study's; undefined
   * while no trial is complete. Throws StudyError for a study of one metric.
   */
  pareto(): ParetoFront | undefined;
  /** Beliefs about the true score at each point. */
  predict(points: readonly Values[]): Prediction[];
  /**
   * Beliefs along one dimension, the others as in `through` (default: the recommended point): at most `count` (default:
   * 41) values from low to high, or every choice. A simplex has no such slice.
   */
  slice(name: string, options?: { readonly through?: Values; readonly count?: number }): SlicePoint[];
  /** Share of the score's variation each dimension causes, by name; all 0 while fewer than two trials are complete, 0 if fixed. */
  importance(): Record<string, Importance>;
  /** Every complete trial as predicted by the others. */
  calibration(): Calibration;
  /**
   * Is what the search may still gain worth an evaluation? Before any trial is complete the answer is no. Throws StudyError
   * for a Pareto objective, which has no one score.
   */
  shouldStop(options?: StopOptions): StopReport;
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
  const { seed, dimensions } = spec;
  const completed = (): number => ledger.completed().length;
  const informed = (what: string): Model => {
    if (completed() === 0) throw new StudyError(`no ${what}: no trial is complete yet`);
    return model();
  };
  const unitOf = (point: Values | number): Float64Array => {
    if (typeof point === "number") return ledger.trial(point).unit;
    space.check(point);
    return space.toUnit(point);
  };
  const leaders = (count: number): Recommendation[] =>
    completed() === 0 ? [] : leadersOf(model(), metricModels(), seed, count);

  return {
    recommend: () => leaders(1)[0],
    leaders,
    improvementOver(baselines) {
      if (baselines.length === 0) throw new StudyError("an improvement needs at least one baseline");
      const units = baselines.map(unitOf);
      return improvementOf(informed("improvement"), ledger.trial(leaders(1)[0]!.id).unit, units, seed);
    },
    pareto() {
      const traded = goal.tradeOff?.metrics ?? [...goal.metrics.keys()];
      if (traded.length < 2) throw new StudyError("a front of trade-offs needs a study of two metrics or more");
      return completed() === 0 ? undefined : frontOf(goal, traded, metricModels(), seed);
    },
    predict(points) {
      const units = points.map(unitOf);
      return units.map((unit) => informed("prediction").predict(unit));
    },
    slice(name, { through, count = 41 } = {}) {
      const dimension = dimensions.find((one) => one.name === name);
      if (dimension === undefined) throw new StudyError(`unknown dimension "${name}"`);
      if (!(Number.isSafeInteger(count) && count >= 2))
        throw new StudyError(`a slice needs 2 points or more, not ${count}`);
      if (through !== undefined) space.check(through);
      const known = informed("slice");
      return sliceOf(known, space, dimension, through ?? leaders(1)[0]!.values, count);
    },
    importance() {
      const found = completed() < 2 ? [] : importanceOf(model(), space, seed);
      const of = (name: string): Importance =>
        found[space.groups.findIndex((group) => group.name === name)] ?? unimportant;
      return Object.fromEntries(dimensions.map(({ name }) => [name, of(name)]));
    },
    calibration: () => calibrationOf(informed("calibration")),
    shouldStop(options = {}) {
      checkStopOptions(options);
      if (goal.tradeOff !== undefined) throw new StudyError("a front of trade-offs has no one score to stop by");
      const known = completed() === 0 ? undefined : { model: model(), metrics: metricModels(), space, seed };
      const initialTrials = spec.initialTrials ?? defaultInitialTrials(space.size);
      const inStages = (spec.stages ?? []).reduce((sum, { trials }) => sum + trials, 0);
      const leastTrials = initialTrials + Math.max(initialTrials, inStages);
      return stopReportOf(known, { leastTrials, ...options });
    },
  };
}
