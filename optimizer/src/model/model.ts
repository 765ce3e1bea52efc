// The surrogate of a study: the ensemble on the scores of the completed trials. A pure function of the ledger, so that
// it can be dropped and rebuilt at any time.

import type { CompletedTrial } from "../study/ledger.ts";
import type { LedgerView } from "../study/stages.ts";
import { type Ensemble, fitEnsemble } from "./ensemble.ts";
import { scalePoints } from "./gp.ts";
import { type Quota, representativeRows } from "./subset.ts";

export interface Model extends Ensemble {
  /** Trials it rests on, by id; row i of every member's training data is trial i of this list. */
  readonly trials: readonly CompletedTrial[];
  /** Completed trials there were, of which `trials` may be a part. */
  readonly completed: number;
}

/** Beyond so many trials those that matter least for the search are left out, so that time stays bounded. */
const modelQuota: Quota = { best: 500, near: 500, latest: 100, spread: 400 };

/** At least one trial must be complete. `previous`, an earlier model of the study, saves time and changes nothing. */
export function fitModel(ledger: LedgerView, previous?: Model): Model {
  const completed = ledger.completed();
  const last = ledger.lastModel;
  const trials = representative(completed, last?.members[0]?.theta);
  const units = trials.map((trial) => trial.unit);
  const scores = trials.map((trial) => trial.score);
  const ensemble = fitEnsemble(units, scores, { last, trials: completed.length, previous });
  return { ...ensemble, trials, completed: completed.length };
}

/** The trials that a model rests on. Near is what the heaviest member of the last fit has as near. */
export function representative(
  trials: readonly CompletedTrial[],
  theta: readonly number[] | undefined,
): CompletedTrial[] {
  const d = trials[0]!.unit.length;
  const points = Float64Array.from(trials.flatMap((trial) => [...trial.unit]));
  const inverseLengths = Float64Array.from({ length: d }, (_, k) => Math.exp(-(theta?.[k] ?? 0)));
  const values = Float64Array.from(trials, (trial) => trial.score.value);
  const scaled = scalePoints(points, trials.length, inverseLengths);
  return Array.from(representativeRows(scaled, d, values, modelQuota), (row) => trials[row]!);
}
