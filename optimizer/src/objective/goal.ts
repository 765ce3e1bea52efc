// What a study is after, in terms of its metrics: the score of an outcome, the bounds that must hold, the metrics that
// are traded off against each other. Names of the spec become positions among the metrics here, and nowhere else.

import { StudyError } from "../errors.ts";
import type { Outcome } from "../study/events.ts";
import { createNormalise, createScalarise, type Objective, type Scalarise } from "./scalarise.ts";

/** A point is only worth having if the true value of the metric is at least this. */
export interface Constraint {
  readonly metric: string;
  readonly atLeast: number;
}

export interface Bound {
  /** Position among the metrics. */
  readonly metric: number;
  readonly atLeast: number;
}

export interface TradeOff {
  /** Positions among the metrics, at least two. */
  readonly metrics: readonly number[];
  /** For each of them, in its units; undefined where the front decides. */
  readonly reference: readonly number[] | undefined;
}

export interface Goal {
  readonly metrics: readonly string[];
  readonly scalarise: Scalarise;
  /** Outcomes in units of the experts, where the objective normalises. */
  readonly normalise: (outcome: Outcome) => Outcome;
  readonly bounds: readonly Bound[];
  readonly tradeOff: TradeOff | undefined;
  /** Is the score the worst of several metrics? */
  readonly isWorst: boolean;
  /** Positions, ascending, of the metrics whose models proposals rest on. */
  readonly modelled: readonly number[];
}

/** Fronts of more objectives are walked along by one random trade-off after another. */
export const mostObjectives = 4;

/** Throws StudyError on metrics, an objective or constraints that make no sense. */
export function createGoal(metrics: readonly string[], objective: Objective, constraints: readonly Constraint[]): Goal {
  const scalarise = createScalarise(metrics, objective);
  const positionOf = (name: string, where: string): number => {
    const position = metrics.indexOf(name);
    if (position < 0) throw new StudyError(`${where} names the metric "${name}"; there are ${metrics.join(", ")}`);
    return position;
  };
  const highest = new Map<number, number>();
  for (const { metric, atLeast } of constraints) {
    if (!Number.isFinite(atLeast)) {
      throw new StudyError(`the constraint on ${metric} needs a finite number to be at least, not ${atLeast}`);
    }
    const position = positionOf(metric, "a constraint");
    highest.set(position, Math.max(atLeast, highest.get(position) ?? atLeast));
  }
  const bounds = [...highest].map(([metric, atLeast]) => ({ metric, atLeast })).toSorted((a, b) => a.metric - b.metric);
  const tradeOff = objective.kind === "pareto" ? createTradeOff(metrics, objective, positionOf) : undefined;
  const isWorst = objective.kind === "worst" && metrics.length > 1;
  const traded = tradeOff !== undefined && tradeOff.metrics.length <= mostObjectives ? tradeOff.metrics : [];
  const modelled = new Set([...(isWorst ? metrics.keys() : traded), ...bounds.map(({ metric }) => metric)]);
  const normalise = createNormalise(metrics, objective.normalise);
  return { metrics, scalarise, normalise, bounds, tradeOff, isWorst, modelled: [...modelled].sort((a, b) => a - b) };
}

function createTradeOff(
  metrics: readonly string[],
  { metrics: names = metrics, reference }: Objective & { readonly kind: "pareto" },
  positionOf: (name: string, where: string) => number,
): TradeOff {
  const positions = names.map((name) => positionOf(name, "the objective"));
  if (positions.length < 2 || new Set(positions).size < positions.length) {
    throw new StudyError(
      `a Pareto front needs two metrics or more, all different; it has ${names.join(", ") || "none"}`,
    );
  }
  if (reference !== undefined && (reference.length !== names.length || !reference.every(Number.isFinite))) {
    throw new StudyError(
      `the reference needs a finite number for each of ${names.join(", ")}; it has [${reference.join(", ")}]`,
    );
  }
  return { metrics: positions, reference };
}
