/** Plans: what a recipe means for the checkpoints it names. Pure, but for `loadPlanInputs`. */
export { deviceNotes } from "./device-notes.ts";
export { type EstimateTasks, estimateTasks } from "./estimate-tasks.ts";
export { explainPlan, explanationRows, type PlanExplanation } from "./explain.ts";
export { formatBytes } from "./format-bytes.ts";
export { loadPlanInputs, type PlanInputs, type StageModels } from "./load.ts";
export { requireOwnOutput } from "./output.ts";
export { type PlanInput, planJob } from "./plan-job.ts";
export { plannedCheckpoint } from "./planned-checkpoint.ts";
export { PlanProblems } from "./problems.ts";
export { type Coefficients, scalarRows, scalarsByName } from "./scalars.ts";
export { slotFinder, slotsOf } from "./slots.ts";
export { type ReductionScope, reductionScopes } from "./stages.ts";
export { confirmSplit, type TaskInput } from "./tasks.ts";
export { trialLease } from "./trial-lease.ts";
export type {
  Plan,
  PlannedGroup,
  PlannedTensor,
  PlannedVariant,
  PlanOptions,
  PlanTotals,
  ShardSize,
  Slot,
  SlotHeader,
  TensorSource,
} from "./types.ts";
export type { EarlierSearch } from "./warm-start.ts";
export { evaluationLayout, variantMessage } from "./wire.ts";
export { makesArtefact } from "./written.ts";
