// The study of a job, out of its journal: what can be replayed anywhere, by anyone. Pure.
import type { StudyEvent, StudySpec } from "@amalgam/optimizer";
import { AmalgamError } from "@amalgam/runtime";
import { type JobState, metricOf } from "../job/state.ts";
import { studyEvents } from "../job/study-events.ts";

export interface RecordedStudy {
  readonly spec: StudySpec;
  readonly events: readonly StudyEvent[];
  /** What the tasks measure, where all measure the same; else empty. */
  readonly metric: string;
}

/** While the search goes on, what has been told: trials that are not settled, or that wait for one that is not, are pending. */
export function recordedStudy(jobId: string, state: JobState): RecordedStudy {
  const { basis, facts, recommended, trials } = state;
  if (basis === undefined || facts === undefined) {
    throw new AmalgamError(
      "failed_precondition",
      `job ${jobId} has no study: it is not a search, or has not begun to search`,
    );
  }
  const events = studyEvents(state, facts, recommended === undefined ? trials.length : undefined);
  return { spec: basis.spec, events, metric: metricOf(state) };
}
