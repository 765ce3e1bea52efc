// The layer a tensor belongs to, by its name: transformers numbers the repeated blocks (`model.layers.3.`, `encoder.layer.11.`).

/** `model.layers.3` for `model.layers.3.mlp.up_proj.weight`; undefined for tensors outside numbered blocks. */
export function layerOf(tensor: string): string | undefined {
  return /^(.*?\.)??\d+(?=\.)/.exec(tensor)?.[0];
}
