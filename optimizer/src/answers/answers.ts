// What a study can be asked about. No answer changes the study: nothing here is an event.

import { StudyError } from "../errors.ts";
import type { Prediction } from "../model/ensemble.ts";
import type { Model } from "../model/model.ts";
import type { Space, Values } from "../space/space.ts";
import type { StudySpec } from "../study/events.ts";
import type { Ledger } from "../study/ledger.ts";
import { totalEffects } from "./importance.ts";
import { type Recommendation, recommendFrom } from "./recommend.ts";

export interface Answers {
  /** The point to use now, or undefined while no trial is complete. */
  recommend(): Recommendation | undefined;
  /** Beliefs about the true score at each point. Throws StudyError while no trial is complete. */
  predict(points: readonly Values[]): Prediction[];
  /** Share of the score's variation each dimension causes, by name; all 0 while nothing is known, 0 if fixed. */
  importance(): Record<string, number>;
}

/** What the answers are about; `model` is only to be called while a trial is complete. */
export interface Asked {
  readonly spec: StudySpec;
  readonly space: Space;
  readonly ledger: Ledger;
  readonly model: () => Model;
}

export function createAnswers({ spec, space, ledger, model }: Asked): Answers {
  const { seed } = spec;
  return {
    recommend: () => (ledger.completed().length === 0 ? undefined : recommendFrom(model(), seed)),
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
