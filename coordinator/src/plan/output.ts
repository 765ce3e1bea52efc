/** An output may not take the place of what it is made from, nor stand in it. */
import { realpath } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { isRemote, resolveOutput } from "@amalgam/checkpoint";
import { PlanProblems } from "./problems.ts";
import type { SlotHeader } from "./types.ts";

/** Throws PlanProblems when publishing to `outputDirectory` would replace or change an input of the job; links are followed. */
export async function requireOwnOutput(headers: readonly SlotHeader[], outputDirectory: string): Promise<void> {
  const output = await realPlace(await resolveOutput(outputDirectory));
  for (const { slot, checkpoint } of headers) {
    if (slot.given || isRemote(checkpoint.root)) continue;
    const root = await realpath(checkpoint.root);
    const adapter = checkpoint.adapter === undefined ? root : await realpath(checkpoint.adapter);
    const parts = [...checkpoint.files.map(({ path }) => path), root];
    const is = relation(output, root, parts) ?? relation(output, adapter, [adapter]);
    if (is === undefined) continue;
    throw new PlanProblems([
      `${outputDirectory}: ${is} ${slot.name}, an input of this merge; choose another output directory`,
    ]);
  }
}

function relation(output: string, root: string, parts: readonly string[]): string | undefined {
  if (output === root) return "is the directory of";
  if (parts.some((path) => path.startsWith(output + sep))) return "contains";
  return output.startsWith(root + sep) ? "lies inside the directory of" : undefined;
}

/** Where a path that may not exist yet would be, once its parents' links are followed. */
function realPlace(path: string): Promise<string> {
  return realpath(path).catch(async () => join(await realPlace(dirname(path)), basename(path)));
}
