/** An output may not take the place of what it is made from. */
import { realpath } from "node:fs/promises";
import { sep } from "node:path";
import { resolveOutput } from "@amalgam/checkpoint";
import { PlanProblems } from "./problems.ts";
import type { SlotHeader } from "./types.ts";

/** Throws PlanProblems when publishing to `outputDirectory` would replace an input of the job; links are followed. */
export async function requireOwnOutput(headers: readonly SlotHeader[], outputDirectory: string): Promise<void> {
  const output = await resolveOutput(outputDirectory);
  for (const { slot, checkpoint } of headers) {
    const isRoot = (await realpath(checkpoint.root)) === output;
    if (!isRoot && !checkpoint.files.some(({ path }) => path.startsWith(output + sep))) continue;
    throw new PlanProblems([
      `${outputDirectory}: is the directory of ${slot.name}, an input of this merge; choose another output directory`,
    ]);
  }
}
