// The surrogate of a study: the ensemble on the scores of the completed trials. A pure function of the ledger, so that
// it can be dropped and rebuilt at any time.

import type { CompletedTrial } from "../study/ledger.ts";
import type { LedgerView } from "../study/stages.ts";
import { type Ensemble, fitEnsemble } from "./ensemble.ts";

export interface Model extends Ensemble {
  /** Trials it was fitted to, by id; row i of every member's training data is trial i of this list. */
  readonly trials: readonly CompletedTrial[];
}

/** At least one trial must be complete. */
export function fitModel(ledger: LedgerView): Model {
  const trials = ledger.completed();
  const units = trials.map((trial) => trial.unit);
  const scores = trials.map((trial) => trial.score);
  return { trials, ...fitEnsemble(units, scores, ledger.lastModel) };
}
