/** An ONNX file's inputs, made of the inputs that every model of ours has: other types by casts, other names where there is no doubt. */

import { TensorProto_DataType as DataType, type TypeProto_Tensor, type ValueInfoProto } from "onnx-buf";
import { int } from "../attributes.ts";
import type { Dimension, ElementType, GraphBuilder, Value } from "../builder.ts";
import { inputNames } from "../families/family.ts";

/** Types that an input of ours can be cast to. */
const castable = [
  DataType.FLOAT,
  DataType.FLOAT16,
  DataType.BFLOAT16,
  DataType.DOUBLE,
  DataType.INT32,
  DataType.INT64,
  DataType.BOOL,
];

const ours: Readonly<Record<string, { readonly type: ElementType; readonly dims: readonly string[] }>> = {
  [inputNames.ids]: { type: "int32", dims: ["items", "tokens"] },
  [inputNames.mask]: { type: "float32", dims: ["items", "tokens"] },
  [inputNames.types]: { type: "int32", dims: ["items", "tokens"] },
  [inputNames.decoderIds]: { type: "int32", dims: ["items", "targets"] },
  [inputNames.pixels]: { type: "float32", dims: ["items", "channels", "height", "width"] },
};

/** What stands for each input of the file. Adds a problem for each that nothing can stand for. */
export function adaptInputs(
  g: GraphBuilder,
  inputs: readonly ValueInfoProto[],
  problems: string[],
): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const input of inputs) {
    const tensor = tensorOf(input);
    const name = nameOf(input, inputs);
    const own = ours[name];
    const dims = tensor?.shape?.dim ?? [];
    if (own === undefined || tensor === undefined) {
      problems.push(`input ${input.name}: is none of ${Object.keys(ours).join(", ")}`);
    } else if (!castable.includes(tensor.elemType)) {
      problems.push(`input ${input.name}: has a type that ${name} cannot be cast to`);
    } else if (dims.length !== own.dims.length) {
      problems.push(`input ${input.name}: has ${dims.length} dimensions, and ${name} has ${own.dims.length}`);
    } else {
      const fixed = dims.slice(0, 2).flatMap(({ value }, axis) => {
        const isFixed = value.case === "dimValue" && (axis === 0 || name !== inputNames.pixels);
        return isFixed ? [`its ${own.dims[axis]} are fixed to ${value.value}`] : [];
      });
      if (fixed.length > 0) {
        const remedy = "export it with dynamic axes (dynamic_shapes, or dynamic_axes)";
        problems.push(`input ${input.name}: ${fixed.join(", ")}: ${remedy}`);
        continue;
      }
      const sizes = dims.map(
        ({ value }, axis): Dimension => (value.case === "dimValue" ? Number(value.value) : own.dims[axis]!),
      );
      values.set(input.name, g.op("Cast", [g.input(name, own.type, sizes)], { to: int(tensor.elemType) }));
    }
  }
  return values;
}

/** A single input with four dimensions is what pixels go into, whatever it is called. */
function nameOf(input: ValueInfoProto, inputs: readonly ValueInfoProto[]): string {
  if (Object.hasOwn(ours, input.name)) return input.name;
  return inputs.length === 1 && tensorOf(input)?.shape?.dim.length === 4 ? inputNames.pixels : input.name;
}

export function tensorOf({ type }: ValueInfoProto): TypeProto_Tensor | undefined {
  return type?.value.case === "tensorType" ? type.value.value : undefined;
}
