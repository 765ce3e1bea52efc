// Names the weight that a kernel found to be NaN or infinite. Slow and exact: it runs once, when a merge fails.
import { dtypeBytes } from "@amalgam/checkpoint";
import { findNonFinite, type InputRole, type Program, type Segment } from "@amalgam/kernels";
import type { SegmentPlan } from "./shard-layout.ts";
import { TaskError } from "./task-error.ts";

export interface FailedWindow {
  readonly plan: SegmentPlan;
  readonly program: Program;
  /** Slots of the job in the order of the program's inputs. */
  readonly slots: readonly number[];
  readonly window: Segment;
  readonly inputFiles: readonly string[];
}

export function inputNotFinite(memory: Uint8Array, failed: FailedWindow): TaskError {
  const { plan, program, slots, window, inputFiles } = failed;
  for (const [i, slot] of slots.entries()) {
    const dtype = program.spec.inputDtypes[i]!;
    const address = window.inputs[i]!;
    const index = findNonFinite(memory.subarray(address, address + window.elements * dtypeBytes(dtype)), dtype);
    if (index < 0) continue;
    const file = inputFiles[plan.inputs[slot]!.file] ?? `input ${slot}`;
    return new TaskError(
      "invalid_argument",
      `${file}: tensor "${plan.tensor}": NaN or infinity in the weights of ${roleName(program.graph.inputs[i])} ` +
        `(element ${window.firstElement + index}); this checkpoint cannot be merged`,
    );
  }
  return new TaskError(
    "invalid_argument",
    `tensor "${plan.tensor}": NaN or infinity in the weights once converted to float32; this tensor cannot be merged`,
  );
}

export function outputNotFinite({ tensor, outputDtype }: SegmentPlan): TaskError {
  return new TaskError(
    "out_of_range",
    `tensor "${tensor}": the merged weights do not fit ${outputDtype} (NaN, infinity or overflow); use smaller coefficients, weights that do not cancel, or a wider dtype`,
  );
}

function roleName(role: InputRole | undefined): string {
  switch (role?.kind) {
    case "base":
      return "the base model";
    case "model":
      return `model ${role.model + 1}`;
    case "companion":
      return `the ${role.companion} of model ${role.model + 1}`;
    default:
      return "an input";
  }
}
