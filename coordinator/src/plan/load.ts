/** The planner's one door to the disk: opens what a recipe names, and gathers every problem on the way. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type Checkpoint,
  CheckpointError,
  openAdapter,
  openCheckpoint,
  problemsOf,
  unprefixedMasks,
  withAdapter,
} from "@amalgam/checkpoint";
import { type Recipe, splitReference } from "../recipe/index.ts";
import { PlanProblems } from "./problems.ts";
import { slotsOf } from "./slots.ts";
import { readTasks, type TaskInput } from "./tasks.ts";
import type { Slot, SlotHeader } from "./types.ts";

export interface PlanInputs {
  /** In the order of `slotsOf(recipe)`, as `planJob` wants them. */
  readonly headers: readonly SlotHeader[];
  /** In the order of the recipe; empty without an evaluate section. */
  readonly tasks: readonly TaskInput[];
}

/**
 * Opens the headers of all slots and reads the tasks. Relative paths start from `baseDirectory`, the recipe's folder.
 * Throws PlanProblems with everything that is missing or broken; tensor data is not read.
 */
export async function loadPlanInputs(recipe: Recipe, baseDirectory: string, signal?: AbortSignal): Promise<PlanInputs> {
  const problems: string[] = [];
  const headers: SlotHeader[] = [];
  // Models that share a base share its files.
  const opened = new Map<string, Promise<Checkpoint>>();
  const open = (path: string): Promise<Checkpoint> => {
    const opening = opened.get(path) ?? openCheckpoint(path, { signal });
    opened.set(path, opening);
    return opening;
  };
  for (const slot of slotsOf(recipe)) {
    try {
      headers.push({ slot, checkpoint: await openSlot(slot, baseDirectory, open, signal) });
    } catch (error) {
      signal?.throwIfAborted();
      problems.push(...problemsOf(error).map(({ message }) => `${slot.name}: ${message}`));
    }
  }
  const tasks = recipe.evaluate === undefined ? [] : await readTasks(recipe.evaluate, baseDirectory, problems);
  if (problems.length > 0) throw new PlanProblems(problems);
  return { headers, tasks };
}

async function openSlot(
  slot: Slot,
  baseDirectory: string,
  open: (path: string) => Promise<Checkpoint>,
  signal: AbortSignal | undefined,
): Promise<Checkpoint> {
  const { base, adapter } = slot.companion === undefined ? splitReference(slot.path) : { base: slot.path };
  const path = resolve(baseDirectory, base);
  if (!(await exists(path))) {
    throw slot.companion === undefined
      ? missingCheckpoint(path)
      : missingCompanion(path, slot.companion.kind, slot.named);
  }
  const opened = await open(path);
  const checkpoint = slot.companion?.kind === "masks" ? unprefixedMasks(opened) : opened;
  if (adapter === undefined) return checkpoint;
  const adapterPath = resolve(baseDirectory, adapter);
  if (!(await exists(adapterPath))) throw missingCheckpoint(adapterPath);
  return withAdapter(checkpoint, await openAdapter(adapterPath, { signal }));
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== "ENOENT" && error.code !== "ENOTDIR",
  );

function missingCheckpoint(path: string): CheckpointError {
  const hint = "paths are relative to the recipe; models on a hub must be downloaded first";
  return new CheckpointError({ file: path, rule: "does not exist", hint });
}

function missingCompanion(path: string, kind: string, named: boolean): CheckpointError {
  const hint = named ? "paths are relative to the recipe" : `name the file with \`${kind}:\` beside \`model:\``;
  return new CheckpointError({ file: path, rule: `does not exist, and the merge needs it`, hint });
}
