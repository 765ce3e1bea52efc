/** Finds the companion tensor (such as its Fisher information) of a model's tensor, and says what is wrong with it. */
import type { Checkpoint, TensorRef } from "@amalgam/checkpoint";
import { isFloatDType } from "@amalgam/kernels";
import type { TensorRemarks } from "./problems.ts";
import type { Slot, SlotHeader } from "./types.ts";

export interface CompanionContext {
  readonly headers: readonly (SlotHeader | undefined)[];
  readonly reference: Checkpoint;
  readonly problems: TensorRemarks;
}

export function companionSource(
  context: CompanionContext,
  slot: Slot,
  companion: Checkpoint,
  tensor: TensorRef,
): TensorRef | undefined {
  const found = findTensor(context, slot.companion?.modelPath, companion, tensor.name);
  const { problems } = context;
  const what = `${companion.root} (${slot.name})`;
  if (found === undefined) {
    problems.add(
      `${what}: %: missing: compute it for every merged tensor, or list those without under \`exclude\``,
      tensor.name,
    );
  } else if (slot.companion?.kind === "masks" ? found.dtype !== "U8" : !isFloatDType(found.dtype)) {
    const wanted = slot.companion?.kind === "masks" ? "not U8, as masks are" : "not a floating type";
    problems.add(`${what}: %: dtype ${found.dtype} is ${wanted}`, tensor.name);
  } else if (found.shape.join() !== tensor.shape.join()) {
    const shapes = `shape [${found.shape.join(", ")}] differs from the model's [${tensor.shape.join(", ")}]`;
    problems.add(`${what}: %: ${shapes}: it was computed for another model`, tensor.name);
  }
  return found;
}

/** Companion files have no config: under which of several names they store a shared parameter is found through the model's ties. */
function findTensor(
  { headers, reference }: CompanionContext,
  modelPath: string | undefined,
  companion: Checkpoint,
  name: string,
): TensorRef | undefined {
  const direct = companion.tensors.get(name);
  if (direct !== undefined) return direct;
  const model = headers.find((each) => each?.slot.kind !== "companion" && each?.slot.path === modelPath)?.checkpoint;
  for (const { stored, absent } of [...(model?.tied ?? []), ...reference.tied]) {
    const names = [...stored, ...absent];
    const other = names.includes(name) ? names.find((alias) => companion.tensors.has(alias)) : undefined;
    if (other !== undefined) return companion.tensors.get(other);
  }
  return undefined;
}
