// A recorded study for others: as its own log, as trials for Optuna, and as what it has learned. Pure.
import { type Dimension, formatLog, type Recommendation, replay, type TrialRecord } from "@amalgam/optimizer";
import type { RecordedStudy } from "../engine/recorded-study.ts";
import { type Analysis, analyse } from "./analysis.ts";

/** JSON lines: the spec, then one event a line, as `openLog` of the optimizer reads it. */
export const studyLog = ({ spec, events }: RecordedStudy): string => formatLog(replay(spec, events));

/**
 * JSON with the fields of Optuna's FrozenTrial: `directions`, and `trials` with `params`, `values` (one for each task), `distributions` as
 * `distribution_to_json` writes them, and the standard errors among the `user_attrs`.
 */
export function optunaStudy({ spec, events }: RecordedStudy): string {
  const { metrics = ["score"], dimensions } = spec;
  const distributions = Object.fromEntries(dimensions.flatMap(distributionsOf));
  const trials = replay(spec, events)
    .trials()
    .map((trial) => ({
      number: trial.id,
      state: OPTUNA_STATES[trial.state],
      values: trial.outcome?.values ?? null,
      params: trial.values,
      distributions,
      user_attrs: attributesOf(trial),
    }));
  const directions = metrics.map(() => "MAXIMIZE");
  return `${JSON.stringify({ directions, metric_names: metrics, trials }, undefined, 1)}\n`;
}

const OPTUNA_STATES = { pending: "RUNNING", complete: "COMPLETE", failed: "FAIL", released: "FAIL" } as const;

function attributesOf({ origin, outcome, reason, source }: TrialRecord): Record<string, unknown> {
  return {
    origin,
    ...(outcome?.standardErrors && { standard_errors: outcome.standardErrors }),
    ...(reason !== undefined && { reason }),
    ...(source !== undefined && { source }),
  };
}

function distributionsOf(dimension: Dimension): [string, unknown][] {
  const { name, kind } = dimension;
  const one = (type: string, attributes: object): [string, unknown][] => [[name, { name: type, attributes }]];
  switch (kind) {
    case "float":
    case "integer": {
      const { low, high, scale } = dimension;
      const step = kind === "float" ? null : 1;
      return one(kind === "float" ? "FloatDistribution" : "IntDistribution", { low, high, log: scale === "log", step });
    }
    case "categorical":
      return one("CategoricalDistribution", { choices: dimension.choices });
    case "fixed":
      return one("CategoricalDistribution", { choices: [dimension.value] });
    case "simplex":
      return dimension.members.map((member) => [
        member,
        { name: "FloatDistribution", attributes: { low: 0, high: 1, log: false, step: null } },
      ]);
    default:
      return dimension satisfies never;
  }
}

export interface StudySummary {
  readonly trials: number;
  readonly complete: number;
  readonly failed: number;
  readonly pending: number;
  /** Points believed to be best, best first. */
  readonly leaders: readonly Recommendation[];
  /** Undefined while fewer than two trials have a score. */
  readonly analysis: Analysis | undefined;
}

const MAX_LEADERS = 8;

export function studySummary({ spec, events }: RecordedStudy): StudySummary {
  const study = replay(spec, events);
  const trials = study.trials();
  const count = (state: TrialRecord["state"]): number => trials.filter((trial) => trial.state === state).length;
  return {
    trials: trials.length,
    complete: count("complete"),
    failed: count("failed"),
    pending: count("pending"),
    leaders: study.leaders(MAX_LEADERS),
    analysis: analyse(study),
  };
}
