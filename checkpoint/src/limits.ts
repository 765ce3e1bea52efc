// Every limit on untrusted input, each with its reason. Generous for real models, small enough that no file can hang or swell us.

/** The format's own limit on the header (safetensors, `MAX_HEADER_SIZE`). */
export const maxHeaderBytes = 100_000_000;

/** Tensors in one file. The largest open models (384 experts x 61 layers, with scales) have about 140,000 in all their files. */
export const maxTensorsPerFile = 262_144;

/** UTF-16 units of a tensor name. Real ones stay under 200. */
export const maxNameLength = 1024;

/** Dimensions of a tensor: torch's own limit. */
export const maxRank = 64;

/** `config.json`, the index and other JSON. The index of a 140,000-tensor model is about 20 MB. */
export const maxJsonBytes = 100_000_000;

/** Nesting in a JSON side file; real ones stay under 10. */
export const maxJsonDepth = 64;

/** One file copied along with the weights; the largest tokenizers are about 50 MB. */
export const maxSideFileBytes: number = 512 * 1024 * 1024;

/** Files of one checkpoint; the largest open models have about 200. */
export const maxFiles = 10_000;
