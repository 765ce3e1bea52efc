// Ask/tell Bayesian optimisation (maximising) over an append-only event log. Pure: every answer is a function of the
// spec and the events, so replaying them anywhere continues the same search with byte-identical proposals.

import { type Answers, createAnswers } from "../answers/answers.ts";
import { StudyError } from "../errors.ts";
import { createMetricModels, type MetricModels } from "../model/metric-models.ts";
import { fitModel, type Model } from "../model/model.ts";
import { believeWorst } from "../model/worst.ts";
import { createGoal } from "../objective/goal.ts";
import { createSpace, type Values } from "../space/space.ts";
import { createStrategy } from "../strategies/strategies.ts";
import type { Suggestion } from "../strategies/strategy.ts";
import { checkShape } from "./event-shape.ts";
import type { Failure, Origin, Outcome, StudyEvent, StudySpec } from "./events.ts";
import { frozenCopy } from "./frozen.ts";
import { createLedger, type Trial } from "./ledger.ts";
import { readOutcome } from "./outcome.ts";
import { createStages, type StageSpace } from "./stages.ts";

export interface Proposal {
  /** The trial's number: 0, 1, 2, .. in the order of asking. */
  readonly id: number;
  readonly values: Values;
  readonly origin: Origin;
  /** The stage that it is part of, undefined after all stages. */
  readonly stage?: string;
}

/** A trial without what only proposers need. */
export type TrialRecord = Readonly<Omit<Trial, "unit" | "cma">>;

export interface Study extends Answers {
  readonly spec: StudySpec;
  /** Everything that happened, oldest first; grows, never changes. */
  readonly events: readonly StudyEvent[];
  /** Every trial so far, by id, as it stands. */
  trials(): TrialRecord[];
  /** The next point to evaluate. It counts as pending until told, failed or released. */
  ask(): Proposal;
  /**
   * Asks for this point before any other, in order of enqueuing. If a trial there is already evaluated or pending, that
   * trial's id is returned, and the point is not asked for again unless the trial is released.
   */
  enqueue(values: Values): number | undefined;
  /**
   * A measurement made elsewhere: by an earlier study, by hand, on another machine. It is a trial like any other,
   * complete (or failed) from the start, and counts among the initial trials; no proposal was spent on it. Points are
   * not unique: two measurements of one point are two trials. Returns the trial's id. Throws StudyError for a point
   * outside the space; `warmStart` leaves such points out and says which.
   * @param source who measured it, for reports
   */
  addObservation(values: Values, result: Outcome | Failure, source?: string): number;
  /**
   * Reports a trial's score. The first of tell and fail wins and later ones are ignored; a released trial may still be
   * told. A value or standard error that is not finite (or negative, for the error) counts as a failure.
   * Throws StudyError unless there is one value for each metric.
   */
  tell(id: number, outcome: Outcome): void;
  /** The trial has no score: it is left out of the model, and nothing is proposed at that very point again. */
  fail(id: number, reason: string): void;
  /** The trial was given up without an answer: its point is free to be proposed again. */
  release(id: number): void;
}

/** A new study. Throws StudyError on a malformed spec. */
export function createStudy(spec: StudySpec): Study {
  return replay(spec, []);
}

/** The study these events came from, ready to go on. Throws StudyError if the log contradicts itself or the spec. */
export function replay(givenSpec: StudySpec, events: Iterable<StudyEvent>): Study {
  const spec = frozenCopy(givenSpec);
  const { seed } = spec;
  if (!Number.isSafeInteger(seed) || seed < 0) throw new StudyError(`seed must be a safe integer >= 0, not ${seed}`);
  if (!Array.isArray(spec.dimensions)) throw new StudyError("a study needs a list of dimensions");
  const space = createSpace(spec.dimensions);
  const strategy = createStrategy(spec);
  const { initialTrials } = spec;
  if (initialTrials !== undefined && (!Number.isSafeInteger(initialTrials) || initialTrials < 1)) {
    throw new StudyError(`initialTrials must be a whole number >= 1, not ${initialTrials}`);
  }
  const goal = createGoal(spec.metrics ?? ["score"], spec.objective ?? { kind: "mean" }, spec.constraints ?? []);
  const stages = createStages(spec.dimensions, space, spec.stages ?? []);
  const ledger = createLedger(space, goal.scalarise, (stage) => stages.named(stage).space.size);
  const log: StudyEvent[] = [];
  const cachedModels = new Map<string | undefined, Model>();
  const cachedMetrics = new Map<string | undefined, MetricModels>();

  const record = <Event extends StudyEvent>(event: Event): Event => {
    const kept = frozenCopy(event);
    checkShape(kept);
    ledger.apply(kept);
    log.push(kept);
    return kept;
  };
  for (const event of events) record(event);

  /** Tells only ever add trials, so as many trials means the same trials. */
  const model = (stage: StageSpace): Model => {
    const { name, view } = stage;
    const seen = view(ledger);
    const cached = cachedModels.get(name);
    if (cached?.completed === seen.completed().length) return cached;
    const fitted = fitModel(seen, cached);
    const model = goal.isWorst ? { ...fitted, ...believeWorst(goal, metricModels(stage)) } : fitted;
    cachedModels.set(name, model);
    return model;
  };

  const metricModels = ({ name, view }: StageSpace): MetricModels => {
    const seen = view(ledger);
    const cached = cachedMetrics.get(name);
    if (cached?.completed === seen.completed().length) return cached;
    const fitted = createMetricModels(seen, goal);
    cachedMetrics.set(name, fitted);
    return fitted;
  };

  const nextPoint = (stage: StageSpace, id: number): Omit<Suggestion, "unit"> & { readonly values: Values } => {
    const wanted = ledger.queue.find((values) => !ledger.isTaken(space.toUnit(values)));
    if (wanted !== undefined) return { values: wanted, origin: "enqueued" };
    const seen = stage.view(ledger);
    const { space: within, name } = stage;
    const models = { model: () => model(stage), metricModels: () => metricModels(stage) };
    const { unit, ...suggestion } = strategy({ spec, goal, space: within, ledger: seen, stage: name, id, ...models });
    return { values: stage.toFine(stage.space.toValues(unit)), ...suggestion };
  };

  const own = stages.named(undefined);
  return {
    spec,
    events: log,
    trials: () => ledger.trials.map(({ unit: _, cma: __, ...trial }) => trial),
    ask() {
      const id = ledger.trials.length;
      const stage = stages.at(ledger.asked);
      const within = stage.name === undefined ? {} : { stage: stage.name };
      const { values, origin, record: remembered } = nextPoint(stage, id);
      const asked = record({ type: "ask", id, values, origin, ...within, ...remembered });
      return { id, values: asked.values, origin, ...within };
    },
    enqueue(values) {
      record({ type: "enqueue", values });
      return ledger.holder(space.toUnit(values))?.id;
    },
    addObservation(values, result, source) {
      const id = ledger.trials.length;
      const kept = "reason" in result ? { reason: result.reason } : readOutcome(result);
      record({ type: "observe", id, values, result: kept, ...(source !== undefined && { source }) });
      return id;
    },
    tell(id, outcome) {
      const { state } = ledger.trial(id);
      if (state === "complete" || state === "failed") return;
      const result = readOutcome(outcome);
      record("reason" in result ? { type: "fail", id, ...result } : { type: "tell", id, ...result });
    },
    fail(id, reason) {
      const { state } = ledger.trial(id);
      if (state === "pending" || state === "released") record({ type: "fail", id, reason });
    },
    release(id) {
      if (ledger.trial(id).state === "pending") record({ type: "release", id });
    },
    ...createAnswers({ spec, space, ledger, goal, model: () => model(own), metricModels: () => metricModels(own) }),
  };
}
