/** onnxruntime's execution providers: what computes, by name (`cpu`, `webgpu`, `cuda`, ...). */

import ort from "onnxruntime-node";
import { EvaluatorError } from "../errors.ts";

/** What every machine has. */
export const CPU = "cpu";

/**
 * The providers to hand to onnxruntime: operators that the first one lacks run on the CPU.
 * @throws EvaluatorError when this onnxruntime has no such provider, naming those it has.
 */
export function providersOf(name: string): readonly string[] {
  const known = ort.listSupportedBackends().map((backend) => backend.name);
  if (!known.includes(name)) {
    throw new EvaluatorError(`onnxruntime here has no execution provider "${name}": it has ${known.join(", ")}`);
  }
  return name === CPU ? [CPU] : [name, CPU];
}
