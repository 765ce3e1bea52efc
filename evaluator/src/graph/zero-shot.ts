/**
 * Zero-shot heads (Radford et al., 2021): a label's logit is the cosine of an image's features and those of texts that name the label, times a
 * scale. The texts' side is a constant, as where models are merged by task vectors (Ilharco et al., arXiv 2212.04089): heads are frozen.
 */

import { create } from "@bufbuild/protobuf";
import { TensorProto_DataType as DataType, TensorProtoSchema } from "onnx-buf";
import { int } from "./attributes.ts";
import type { GraphBuilder, Value } from "./builder.ts";
import type { BuiltModel } from "./families/family.ts";
import { project } from "./layers.ts";

/** Row-major values of a matrix. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

export interface ZeroShotHead {
  /** `[labels, features]`: the labels' features of length 1, times the scale. */
  readonly weight: Matrix;
  /** `[features, features of the model]`, for a model without a projection of its own. */
  readonly projection: Matrix | undefined;
}

/** The model with the heads' labels one after another as its logits. All heads have one projection, or none. */
export function withZeroShotHeads(model: BuiltModel, heads: readonly ZeroShotHead[]): BuiltModel {
  const { graph: g, features: _, ...rest } = model;
  const [first] = heads;
  const features =
    first?.projection === undefined
      ? model.logits
      : project(g, model.logits, constant(g, "zero-shot projection", first.projection));
  const squares = g.op("ReduceSum", [g.op("Mul", [features, features]), g.int64s(-1)], { keepdims: int(1) });
  const directions = g.op("Div", [features, g.op("Sqrt", [squares])]);
  const weight = stacked(heads.map((head) => head.weight));
  const logits = project(g, directions, constant(g, "zero-shot head", weight));
  return { ...rest, graph: g, kind: "image-classification", logits, labels: weight.rows };
}

function stacked(parts: readonly Matrix[]): Matrix {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const { columns } = parts[0]!;
  const data = new Float32Array(rows * columns);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { rows, columns, data };
}

function constant(g: GraphBuilder, name: string, { rows, columns, data }: Matrix): Value {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  const dims = [BigInt(rows), BigInt(columns)];
  g.append([], [create(TensorProtoSchema, { name, dataType: DataType.FLOAT, dims, rawData })]);
  return name as Value;
}
