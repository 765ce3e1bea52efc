/** Rotary position embeddings (Su et al., 2021): a query's and a key's features turn by angles that grow with their token's position. */

import { int } from "./attributes.ts";
import type { GraphBuilder, Value } from "./builder.ts";

/** Cosines and sines of the angles, float32 `[tokens, headFeatures / 2]`. */
export interface RotaryTables {
  readonly cos: Value;
  readonly sin: Value;
}

/** `theta^(-2i / headFeatures)` for each pair i of features: radians per token, `[headFeatures / 2]`, in float32 as models were trained with. */
export function rotaryFrequencies(headFeatures: number, theta: number): Float32Array {
  return Float32Array.from({ length: headFeatures / 2 }, (_, i) => {
    return 1 / Math.fround(theta ** Math.fround((2 * i) / headFeatures));
  });
}

/** @param positions int64 `[tokens]` */
export function rotaryTables(g: GraphBuilder, positions: Value, frequencies: Float32Array): RotaryTables {
  const places = g.op("Unsqueeze", [g.cast(positions, "float32"), g.int64s(1)]);
  const angles = g.op("Mul", [places, g.floats([1, frequencies.length], [...frequencies])]);
  return { cos: g.op("Cos", [angles]), sin: g.op("Sin", [angles]) };
}

/** Turns the pairs (i, i + d / 2) of the last dimension; x `[items, heads, tokens, d]`. */
export function rotate(g: GraphBuilder, x: Value, { cos, sin }: RotaryTables): Value {
  const [first, second] = g.ops("Split", [x], 2, { axis: int(-1), num_outputs: int(2) }) as [Value, Value];
  const times = (a: Value, b: Value): Value => g.op("Mul", [a, b]);
  const turned = [
    g.op("Sub", [times(first, cos), times(second, sin)]),
    g.op("Add", [times(second, cos), times(first, sin)]),
  ];
  return g.op("Concat", turned, { axis: int(-1) });
}
