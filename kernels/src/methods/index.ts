// The registry: the only place that lists the methods.
import type { MergeMethod } from "../method.ts";
import { dfMerge } from "./df-merge.ts";
import { fisher } from "./fisher.ts";
import { linear } from "./linear.ts";
import { taskArithmetic } from "./task-arithmetic.ts";
import { ties } from "./ties.ts";
import { tiesOfficial } from "./ties-official.ts";

export const METHODS = {
  linear,
  task_arithmetic: taskArithmetic,
  ties,
  ties_official: tiesOfficial,
  fisher,
  df_merge: dfMerge,
} satisfies Record<string, MergeMethod> as Readonly<Record<string, MergeMethod>>;

/** The method of that name; throws a RangeError that lists the known ones. */
export function methodNamed(name: string): MergeMethod {
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (!method) throw new RangeError(`unknown merge method ${name}: known are ${Object.keys(METHODS).join(", ")}`);
  return method;
}
