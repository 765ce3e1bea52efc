// search.json: every candidate of a search with its coefficients and scores, what was learned, and the study, from which another search
// can start. For programs. Pure.

import { type JobView, JobViewSchema } from "@amalgam/proto";
import { toJson } from "@bufbuild/protobuf";
import type { RecordedStudy } from "../engine/recorded-study.ts";
import type { Belief } from "../job/events.ts";
import type { Analysis } from "./analysis.ts";

export type Recommended = Belief & {
  readonly coefficients: Readonly<Record<string, number>>;
  readonly runnersUp?: readonly Belief[];
  /** Trials by id. */
  readonly front?: readonly string[];
};

/** What a search knows besides the scores of its candidates. */
export interface SearchRecord {
  readonly recommended: Recommended;
  readonly study: RecordedStudy;
  /** Absent where the search has no model. */
  readonly analysis?: Analysis;
}

export function searchHistory(view: JobView, { recommended, analysis, study }: SearchRecord): string {
  const { candidates, tasks, objective, metric, stopped } = toJson(JobViewSchema, view) as Record<string, unknown>;
  const importance = view.importance?.estimate;
  const record = { tasks, objective, metric, importance, stopped, recommended, candidates, analysis, study };
  return `${JSON.stringify(record, undefined, 1)}\n`;
}
