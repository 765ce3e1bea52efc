// From coarse to fine: a study's first trials are proposed in coarser spaces, where dimensions that belong together take
// one value. All trials are trials of the one fine space: a stage sees those that lie in its own, and the next one, with
// more dimensions, sees them all.

import { StudyError } from "../errors.ts";
import type { MetricRecords } from "../model/metric-models.ts";
import { createSpace, type Dimension, type Space, type Values } from "../space/space.ts";
import { areNested, tieDimensions } from "../space/ties.ts";
import type { ProposalRecord, Stage } from "./events.ts";
import { isComplete, type Ledger, type Trial } from "./ledger.ts";

/** What proposals of a stage are made of: its space, and the study's trials as they appear there. */
export interface StageSpace {
  /** Undefined for the study's own space, after all stages. */
  readonly name: string | undefined;
  readonly space: Space;
  view(ledger: Ledger): LedgerView;
  toFine(values: Values): Values;
}

/** What proposers see of a ledger. */
export interface LedgerView extends Pick<Ledger, "trials" | "completed" | "isTaken"> {
  /** The last record of a model of this very space. */
  readonly lastModel: ProposalRecord | undefined;
  /** The last records of its metrics' models. */
  readonly lastMetrics: MetricRecords | undefined;
}

export interface Stages {
  /** The stage of the next trial, when `asked` trials were asked for. */
  at(asked: number): StageSpace;
  /** The space of a stage, undefined for the study's own. Throws StudyError for a stage that there is not. */
  named(name: string | undefined): StageSpace;
}

/** Throws StudyError for stages that are malformed, or finer than a later one. */
export function createStages(dimensions: readonly Dimension[], space: Space, stages: readonly Stage[]): Stages {
  const own: StageSpace = {
    name: undefined,
    space,
    view({ trials, completed, isTaken, lastModelOf, lastMetricsOf }) {
      return { trials, completed, isTaken, lastModel: lastModelOf(undefined), lastMetrics: lastMetricsOf(undefined) };
    },
    toFine: (values) => values,
  };
  const spaces = stages.map((stage, index) => {
    const { name, trials, ties } = stage;
    const refuse = (rule: string): never => {
      throw new StudyError(`stage "${name}": ${rule}`);
    };
    if (typeof name !== "string" || name === "") throw new StudyError("every stage needs a non-empty name");
    if (stages.findIndex((other) => other.name === name) < index) refuse("another stage has this name");
    if (!Number.isSafeInteger(trials) || trials < 1) refuse(`trials must be a whole number >= 1, not ${trials}`);
    const next = stages[index + 1];
    if (next !== undefined && !areNested(dimensions, ties, next.ties)) {
      refuse(`stage "${next.name}" after it ties dimensions together that are apart here`);
    }
    return stageSpace(stage, dimensions, space);
  });
  return {
    at: (asked) => spaces.find((_, index) => asked < trialsOf(stages.slice(0, index + 1))) ?? own,
    named(name) {
      const found = [...spaces, own].find((stage) => stage.name === name);
      if (found === undefined) throw new StudyError(`the study has no stage "${name}"`);
      return found;
    },
  };
}

const trialsOf = (stages: readonly Stage[]): number => stages.reduce((sum, { trials }) => sum + trials, 0);

function stageSpace({ name, ties }: Stage, dimensions: readonly Dimension[], fine: Space): StageSpace {
  const tied = tieDimensions(dimensions, ties);
  const space = createSpace(tied.dimensions);
  const { toFine } = tied;
  return {
    name,
    space,
    toFine,
    view(ledger) {
      const trials = ledger.trials.flatMap((trial): Trial[] => {
        const values = tied.toCoarse(trial.values);
        return values === undefined ? [] : [{ ...trial, values, unit: space.toUnit(values) }];
      });
      return {
        trials,
        completed: () => trials.filter(isComplete),
        isTaken: (unit) => ledger.isTaken(fine.toUnit(toFine(space.toValues(unit)))),
        lastModel: ledger.lastModelOf(name),
        lastMetrics: ledger.lastMetricsOf(name),
      };
    },
  };
}
