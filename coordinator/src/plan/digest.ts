/** The identity of a plan: the same recipe over the same inputs, cut the same way, has the same digest. */
import { createHash } from "node:crypto";
import { fileVersion } from "@amalgam/checkpoint";
import { graphText } from "@amalgam/kernels";
import { recipeDocument } from "../recipe/index.ts";
import type { Plan, SlotHeader } from "./types.ts";

/** Changes when the meaning of plans changes, so that a journal of another version is not continued. */
const PLAN_VERSION = 2;

/**
 * sha256 (hex). Inputs are known by path, size, version and header, not by their tensor data: reading all of it would cost as
 * much as the merge.
 */
export function digestPlan(plan: Omit<Plan, "digest">, headers: readonly SlotHeader[]): string {
  const hash = createHash("sha256");
  const line = (value: unknown): void => {
    hash.update(`${JSON.stringify(value)}\n`);
  };
  line(["amalgam plan", PLAN_VERSION, recipeDocument(plan.recipe)]);
  for (const { checkpoint } of headers) {
    line(checkpoint.identityDigest);
    for (const file of checkpoint.files) line([file.path, file.byteLength, file.headerSha256, fileVersion(file)]);
  }
  // A method of the user's own is what its file says now, whatever its name meant before.
  for (const { groups } of plan.variants) for (const { graph } of groups) line(graphText(graph));
  line(plan.tokenizer?.digest ?? null);
  for (const { name, outputFile, outputOffset, outputDtype, action } of plan.tensors) {
    line([name, outputFile, outputOffset, outputDtype, action]);
  }
  for (const { segments } of plan.shards) {
    line(segments.map(({ tensor, firstElement, elements }) => [tensor, String(firstElement), String(elements)]));
  }
  return hash.digest("hex");
}
