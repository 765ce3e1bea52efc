// The greedy soup of Wortsman et al. 2022 (arXiv 2203.05482) by ask and tell: every model alone, then, from the best one down, each
// of the others is added to the soup and stays when the score is strictly higher. Pure: a function of the scores told.

import { StudyError } from "../errors.ts";
import type { Values } from "../space/space.ts";
import type { Origin, Outcome } from "../study/events.ts";
import type { Proposal } from "../study/study.ts";

export interface GreedySoup {
  /** The next soup: 1 for the models in it, 0 for the others. All trials before an addition must have been told. */
  ask(): Proposal;
  /** The first of tell and fail wins. A score that is not finite counts as a failure. */
  tell(id: number, outcome: Outcome): void;
  fail(id: number, reason: string): void;
  /** The soup so far, or undefined while no model has a score. */
  recommend(): { readonly id: number; readonly values: Values; readonly observed: Outcome } | undefined;
}

/** Trials of a greedy soup of as many models. */
export const greedySoupTrials = (models: number): number => 2 * models - 1;

interface Trial {
  readonly members: ReadonlySet<number>;
  /** Undefined while it is pending; null when it failed. */
  outcome?: Outcome | null;
}

/** @param names of the models' coefficients. Throws StudyError without any. */
export function createGreedySoup(names: readonly string[]): GreedySoup {
  if (names.length === 0) throw new StudyError("a soup needs at least one model");
  const trials: Trial[] = [];
  const valuesOf = ({ members }: Trial): Values =>
    Object.fromEntries(names.map((name, model) => [name, members.has(model) ? 1 : 0]));
  const scoreOf = (id: number): number => trials[id]?.outcome?.values[0] ?? Number.NEGATIVE_INFINITY;

  /** Models from the best alone to the worst, equals in their order; those that failed are last. */
  const ranking = (): number[] =>
    names.map((_, model) => model).sort((a, b) => Math.sign(scoreOf(b) - scoreOf(a) || 0) || a - b);

  /** The trial whose soup is the one to add to. */
  const current = (): number => {
    let best = ranking()[0] ?? 0;
    for (let id = names.length; id < trials.length; id++) if (scoreOf(id) > scoreOf(best)) best = id;
    return best;
  };

  const settle = (id: number, outcome: Outcome | null): void => {
    const trial = trials[id];
    if (trial === undefined) throw new StudyError(`trial ${id} was not asked for`);
    if (trial.outcome === undefined) trial.outcome = outcome;
  };

  return {
    ask() {
      const id = trials.length;
      const isAlone = id < names.length;
      if (id >= greedySoupTrials(names.length)) throw new StudyError("the soup is complete");
      if (!isAlone && trials.some(({ outcome }) => outcome === undefined))
        throw new StudyError("an addition to the soup depends on the scores of all trials before it");
      const added = isAlone ? id : ranking()[id - names.length + 1]!;
      const members = isAlone ? new Set([id]) : new Set([...trials[current()]!.members, added]);
      const trial: Trial = { members };
      trials.push(trial);
      return { id, values: valuesOf(trial), origin: isAlone ? "alone" : ("soup" satisfies Origin) };
    },
    tell: (id, outcome) => settle(id, outcome.values.every(Number.isFinite) ? outcome : null),
    fail: (id) => settle(id, null),
    recommend() {
      const id = current();
      const trial = trials[id];
      return trial?.outcome ? { id, values: valuesOf(trial), observed: trial.outcome } : undefined;
    },
  };
}
