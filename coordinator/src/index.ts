// The coordinator role: recipe to plan to leases to trials to published model; its journal is the only truth.
export { type Coordinator, type CoordinatorOptions, createCoordinator, jobIdOf } from "./engine/coordinator.ts";
export { evaluationSpec } from "./engine/evaluation-spec.ts";
export { needsStages } from "./engine/prepared-job.ts";
export type { RecordedStudy } from "./engine/recorded-study.ts";
export type { JobSpec } from "./job/events.ts";
export {
  deviceNotes,
  explainPlan,
  explanationRows,
  loadPlanInputs,
  type Plan,
  type PlanExplanation,
  PlanProblems,
  planJob,
  plannedCheckpoint,
  requireOwnOutput,
  type StageModels,
  scalarsByName,
  trialLease,
} from "./plan/index.ts";
export {
  parseRecipe,
  parseStages,
  type Recipe,
  type RecipeOverrides,
  RecipeProblems,
  requireJobKind,
  type Stage,
  searchDimensions,
  splitReference,
  stageText,
  withOverrides,
} from "./recipe/index.ts";
export { HISTORY_FILE } from "./report/history-file.ts";
export { readSearchHistory } from "./report/read-history.ts";
export { optunaStudy, type StudySummary, studyLog, studySummary } from "./report/study-files.ts";
export { createCoordinatorService } from "./service.ts";
