// A worker merges with its own code: is its method of that name what the coordinator planned with? Otherwise bytes would depend on who merges.
import { createHash } from "node:crypto";
import { buildGraph, graphText, METHODS } from "@amalgam/kernels";
import { AmalgamError } from "@amalgam/runtime";
import type { MergeGroup } from "./thread-protocol.ts";

const known = new Set<string>();
const REMEDY = "give the coordinator and all workers the same version and the same --method files";

/**
 * @param sha256 of the graph's text at the coordinator
 * @throws AmalgamError failed_precondition when the method is not known here, or another program
 */
export function requireSameMethod({ method, hasBase, models, options, masks }: MergeGroup, sha256: string): void {
  const key = JSON.stringify([method, hasBase, models, options, masks, sha256]);
  if (known.has(key)) return;
  if (!Object.hasOwn(METHODS, method)) {
    throw new AmalgamError(
      "failed_precondition",
      `this worker does not know the merge method \`${method}\`: ${REMEDY}`,
    );
  }
  const parsed = Object.entries(options).map(([name, json]) => [name, JSON.parse(json) as boolean | string] as const);
  const spec = {
    method,
    hasBase,
    models,
    options: Object.fromEntries(parsed),
    ...(masks === undefined ? {} : { masks }),
  };
  const own = createHash("sha256")
    .update(graphText(buildGraph(spec)))
    .digest("hex");
  if (own !== sha256) {
    const what = `the merge method \`${method}\` of this worker is not the coordinator's`;
    throw new AmalgamError("failed_precondition", `${what}: ${REMEDY}`);
  }
  known.add(key);
}
