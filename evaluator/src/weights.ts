/** What the evaluator needs of a model's weights: tensors by name, as bytes. Who holds them (files, merged shards) is not its business. */

/** One tensor: little-endian row-major bytes, as safetensors stores them. */
export interface WeightTensor {
  /** Data type in any case: f64, f32, f16, bf16, f8_e4m3, f8_e5m2 (safetensors' own names in capitals are fine). */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Little-endian values; read when the weights are loaded and never changed or kept (except f32 bytes that are 4-byte aligned: shared). */
  readonly bytes: Uint8Array;
  /** Content digest. Tensors with a digest seen recently are not converted again, whichever model they belong to. */
  readonly digest?: string;
}

/** A model's weights by tensor name. The same object must give the same tensors for as long as it lives. */
export interface Weights {
  get(name: string): WeightTensor | undefined;
  names(): Iterable<string>;
}

/** Whether a weight set stores a tensor of this name itself, not under a name that it is tied to. */
export function storedIn(weights: Weights): (tensor: string) => boolean {
  const names = new Set(weights.names());
  return (tensor) => names.has(tensor);
}
