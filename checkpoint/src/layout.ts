// Lays tensors out in safetensors files before any byte of them exists: every merged range has its final offset from the start.
// Order inside a file follows the reference writer (`prepare` in safetensors' tensor.rs): widest dtype first, then name.
import { type DType, dtypeBytes, tensorBytes } from "./dtype.ts";
import { CheckpointError } from "./errors.ts";
import { nameRule } from "./header.ts";
import { maxHeaderBytes, maxTensorsPerFile } from "./limits.ts";

/** A tensor to be written: its name, dtype and row-major shape. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Where a tensor's bytes go: absolute offsets in its file. */
export interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** A whole file but for its data: `header` is the length, the JSON and padding to a multiple of 8 bytes. */
export interface FileLayout {
  readonly header: Uint8Array;
  readonly fileBytes: number;
  /** In file order. */
  readonly tensors: ReadonlyMap<string, ByteRange & TensorSpec>;
}

export interface OutputFile extends FileLayout {
  /** `model.safetensors`, or `model-00001-of-00003.safetensors`. */
  readonly name: string;
}

/** The weight files of an output model, and the text of `model.safetensors.index.json` when there is more than one. */
export interface OutputLayout {
  readonly files: readonly OutputFile[];
  readonly index?: string;
  /** Sum of the tensors' bytes. */
  readonly totalBytes: number;
}

/** What transformers itself writes; some loaders refuse a file without it. */
const torchMetadata: Readonly<Record<string, string>> = { format: "pt" };

/** Lays out one file. Throws a CheckpointError for names and shapes that {@link parseHeader} would refuse. */
export function layoutFile(
  specs: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = torchMetadata,
  file = "the output",
): FileLayout {
  const sorted = specs.toSorted((a, b) => dtypeBytes(b.dtype) - dtypeBytes(a.dtype) || compareNames(a.name, b.name));
  const members: string[] = [];
  const keys = Object.keys(metadata).toSorted();
  if (keys.length > 0) {
    const entries = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    members.push(`"__metadata__":{${entries.join(",")}}`);
  }
  const relative: (ByteRange & TensorSpec)[] = [];
  let offset = 0;
  for (const { name, dtype, shape } of sorted) {
    const end = offset + checkedBytes({ name, dtype, shape }, file);
    members.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${offset},${end}]}`,
    );
    relative.push({ name, dtype, shape, begin: offset, end });
    offset = end;
  }
  const header = encodeHeader(`{${members.join(",")}}`, file);
  const tensors = new Map<string, ByteRange & TensorSpec>();
  for (const tensor of relative) {
    if (tensors.has(tensor.name))
      throw new CheckpointError({ file, tensor: tensor.name, rule: "the tensor appears twice" });
    tensors.set(tensor.name, { ...tensor, begin: tensor.begin + header.length, end: tensor.end + header.length });
  }
  if (tensors.size > maxTensorsPerFile) {
    throw new CheckpointError({
      file,
      rule: `more than ${maxTensorsPerFile} tensors in one file`,
      hint: "lower the file size",
    });
  }
  return { header, fileBytes: header.length + offset, tensors };
}

/**
 * Cuts tensors, in the order given, into files of at most `maxFileBytes` bytes of tensor data (a larger tensor gets a file of
 * its own), as transformers' save_pretrained does.
 */
export function planOutputFiles(specs: readonly TensorSpec[], maxFileBytes: number): OutputLayout {
  const groups: TensorSpec[][] = [];
  let groupBytes = Number.POSITIVE_INFINITY;
  let totalBytes = 0;
  for (const spec of specs) {
    const bytes = checkedBytes(spec, "the output");
    if (groupBytes + bytes > maxFileBytes) {
      groups.push([]);
      groupBytes = 0;
    }
    groups.at(-1)!.push(spec);
    groupBytes += bytes;
    totalBytes += bytes;
  }
  if (groups.length === 0) throw new CheckpointError({ file: "the output", rule: "there is no tensor to write" });
  const files = groups.map((group, index) => {
    const name = fileName(index, groups.length);
    return { name, ...layoutFile(group, torchMetadata, name) };
  });
  return files.length === 1 ? { files, totalBytes } : { files, totalBytes, index: indexText(files, totalBytes) };
}

/** Lays out files of given names, each with all of its tensors. */
export function planNamedFiles(
  named: readonly { readonly name: string; readonly specs: readonly TensorSpec[] }[],
): OutputLayout {
  const files = named.map(({ name, specs }) => ({ name, ...layoutFile(specs, torchMetadata, name) }));
  if (files.every(({ tensors }) => tensors.size === 0)) {
    throw new CheckpointError({ file: "the output", rule: "there is no tensor to write" });
  }
  const totalBytes = files.reduce((sum, { fileBytes, header }) => sum + fileBytes - header.length, 0);
  return { files, totalBytes };
}

function checkedBytes({ name, dtype, shape }: TensorSpec, file: string): number {
  const rule = name === "__metadata__" ? "the name is reserved by the format" : nameRule(name);
  if (rule !== undefined) throw new CheckpointError({ file, tensor: name, rule });
  const whole = shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
  const bytes = whole ? tensorBytes(dtype, shape) : undefined;
  if (bytes === undefined)
    throw new CheckpointError({ file, tensor: name, rule: `shape [${shape.join(", ")}] is not valid` });
  return bytes;
}

function encodeHeader(json: string, file: string): Uint8Array {
  const text = new TextEncoder().encode(json);
  const jsonBytes = Math.ceil(text.length / 8) * 8;
  if (jsonBytes > maxHeaderBytes) {
    throw new CheckpointError({ file, rule: `the header would have ${jsonBytes} bytes, more than ${maxHeaderBytes}` });
  }
  const header = new Uint8Array(8 + jsonBytes).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(jsonBytes), true);
  header.set(text, 8);
  return header;
}

function fileName(index: number, count: number): string {
  if (count === 1) return "model.safetensors";
  const digits = (value: number) => String(value).padStart(5, "0");
  return `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

function indexText(files: readonly OutputFile[], totalBytes: number): string {
  const lines = files.flatMap(({ name, tensors }) =>
    [...tensors.keys()].map((tensor) => ({ tensor, line: `    ${JSON.stringify(tensor)}: ${JSON.stringify(name)}` })),
  );
  const sorted = lines.toSorted((a, b) => compareNames(a.tensor, b.tensor)).map(({ line }) => line);
  return `{\n  "metadata": {\n    "total_size": ${totalBytes}\n  },\n  "weight_map": {\n${sorted.join(",\n")}\n  }\n}\n`;
}

/** By UTF-16 code unit: the same everywhere, unlike a locale's order. */
function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
