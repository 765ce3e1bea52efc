// The registry: the only place that lists the methods.
import type { MergeMethod } from "../method.ts";
import { linear } from "./linear.ts";

export const METHODS = { linear } satisfies Record<string, MergeMethod> as Readonly<Record<string, MergeMethod>>;

/** The method of that name; throws a RangeError that lists the known ones. */
export function methodNamed(name: string): MergeMethod {
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (!method) throw new RangeError(`unknown merge method ${name}: known are ${Object.keys(METHODS).join(", ")}`);
  return method;
}
