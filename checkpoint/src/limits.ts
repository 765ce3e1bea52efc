// Every limit on untrusted input, each with its reason. Generous for real models, small enough that no file can hang or swell us.

/** The format's own limit on the header (safetensors, `MAX_HEADER_SIZE`). */
export const maxHeaderBytes = 100_000_000;

/** Tensors in one file. The largest open models (384 experts x 61 layers, with scales) have about 140,000 in all their files. */
export const maxTensorsPerFile = 262_144;

/** Entries of a header's `__metadata__`; real ones have a handful. */
export const maxMetadataEntries = 65_536;

/** Bytes of one JSON string. The largest in use, training logs in metadata, are under 1 MB. */
export const maxStringBytes = 16_000_000;

/** Members of one JSON object: past any weight map, and well before a Set of keys would take gigabytes. */
export const maxMembers = 1_048_576;

/** UTF-16 units of a tensor name. Real ones stay under 200. */
export const maxNameLength = 1024;

/** Dimensions of a tensor: torch's own limit. */
export const maxRank = 64;

/** An index or a manifest; those of a 140,000-tensor model have about 20 and 40 MB. */
export const maxJsonBytes = 100_000_000;

/** `config.json`; real ones stay under 1 MB. */
export const maxConfigBytes = 16_000_000;

/** Nesting in a JSON side file; real ones stay under 10. */
export const maxJsonDepth = 64;

/** One file copied along with the weights; the largest tokenizers are about 50 MB. */
export const maxSideFileBytes: number = 512 * 1024 * 1024;

/** Files of one checkpoint; the largest open models have about 200. */
export const maxFiles = 10_000;
