// Merges a plan tensor by tensor with the kernels alone: no workers, no files written.
import { closeSync, openSync, readSync } from "node:fs";

import { type Plan, scalarsByName } from "@amalgam/coordinator";
import { buildProgram, type DTypeName, dtypeBytes, mergeTensors } from "@amalgam/kernels";

/** The recipe's own merge of each tensor, for methods without statistics over the whole model. */
export function mergePlan(plan: Plan): Map<string, { readonly dtype: DTypeName; readonly bytes: Uint8Array }> {
  const [variant] = plan.variants;
  const scalars = scalarsByName(plan, variant!);
  const merged = plan.tensors.map((tensor, index) => {
    const { spec, slots } = variant!.groups[tensor.group]!;
    const inputs = slots.map((slot) => {
      const { file, dtype, offset } = tensor.sources[slot]!;
      const bytes = new Uint8Array(tensor.elements * dtypeBytes(dtype as DTypeName));
      const descriptor = openSync(plan.files[file]!.path, "r");
      readSync(descriptor, bytes, 0, bytes.length, offset);
      closeSync(descriptor);
      return { dtype: dtype as DTypeName, bytes };
    });
    const outputDtype = tensor.outputDtype as DTypeName;
    const program = buildProgram({ ...spec, inputDtypes: inputs.map(({ dtype }) => dtype), outputDtype });
    const { elements, shape } = tensor;
    const whole = { inputs: inputs.map(({ bytes }) => bytes), elements, rowElements: shape.at(-1) ?? 1 };
    const [result] = mergeTensors(program, [{ ...whole, scalars: scalars(index) }]);
    return [tensor.name, { dtype: outputDtype, bytes: result!.bytes }] as const;
  });
  return new Map(merged);
}
