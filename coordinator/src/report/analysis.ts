// What the model of a search has learned, as plain numbers: for the report, for programs, and for `amalgam study show`. Pure.
import type { Calibration, Importance, Improvement, SlicePoint, StopReport, Study } from "@amalgam/optimizer";

export interface Slice {
  readonly name: string;
  readonly points: readonly SlicePoint[];
}

export interface Analysis {
  /** By dimension. */
  readonly importance: Readonly<Record<string, Importance>>;
  /** Through the recommended point, along the dimensions that matter most. */
  readonly slices: readonly Slice[];
  readonly calibration: Calibration;
  /** What the recommended point gains over the best of the points that need no search; absent when it is one of them, or none was tried. */
  readonly improvement?: Improvement;
  readonly stop: StopReport;
}

const MAX_SLICES = 12;
const SLICE_POINTS = 33;

/** Undefined while fewer than two trials have a score. */
export function analyse(study: Study): Analysis | undefined {
  const trials = study.trials();
  if (trials.filter(({ outcome }) => outcome !== undefined).length < 2) return undefined;
  const importance = study.importance();
  const slices = study.spec.dimensions
    .filter(({ name, kind }) => kind !== "simplex" && kind !== "fixed" && importance[name]!.share > 0)
    .toSorted((a, b) => importance[b.name]!.share - importance[a.name]!.share)
    .slice(0, MAX_SLICES)
    .map(({ name }) => ({ name, points: study.slice(name, { count: SLICE_POINTS }) }));
  const baselines = trials.filter(({ origin, outcome }) => outcome !== undefined && BASELINES.includes(origin));
  const isSearched = !baselines.some(({ id }) => id === study.recommend()?.id);
  return {
    importance,
    slices,
    calibration: study.calibration(),
    ...(baselines.length > 0 && isSearched && { improvement: study.improvementOver(baselines.map(({ id }) => id)) }),
    stop: study.shouldStop(),
  };
}

/** Points that need no search. */
const BASELINES = ["enqueued", "line", "centre"];
