// The safetensors header: parsed and held to every rule of the format (README and `validate` in tensor.rs of
// https://github.com/huggingface/safetensors), plus the ones its JSON library cannot see, such as duplicate keys.
import { type DType, isDType, refusedDTypeReason, tensorBytes } from "./dtype.ts";
import { CheckpointError, quoteName, throwProblems } from "./errors.ts";
import { JsonScanner } from "./json-scanner.ts";
import { maxHeaderBytes, maxMetadataEntries, maxNameLength, maxRank, maxTensorsPerFile } from "./limits.ts";

/** One tensor of a file. `begin` and `end` are byte offsets from the start of the data section; row-major. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** A valid header. `tensors` is in data-offset order, whatever order the JSON had. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Bytes of the data section: all of it belongs to exactly one tensor. */
  readonly dataBytes: number;
}

interface RawTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

// Keeping every problem of a hostile file would cost memory; a person reads the first few.
const maxProblems = 100;

/**
 * Parses the JSON of a header and checks it against the `dataBytes` that follow it in the file.
 * Throws a CheckpointError for malformed JSON, or all broken rules of the tensors at once.
 */
export function parseHeader(json: Uint8Array, dataBytes: number, file: string): SafetensorsHeader {
  if (json.length > maxHeaderBytes) {
    throw new CheckpointError({ file, rule: `the header has ${json.length} bytes, more than ${maxHeaderBytes}` });
  }
  if (json[0] !== 0x7b) throw new CheckpointError({ file, rule: 'the header does not start with "{"' });
  const metadata = new Map<string, string>();
  const raw = scanHeader(json, file, metadata);
  const problems: CheckpointError[] = [];
  const report = (tensor: string, rule: string, hint?: string): void => {
    if (problems.length < maxProblems) {
      problems.push(new CheckpointError({ file, tensor, rule, ...(hint === undefined ? {} : { hint }) }));
    }
  };
  sortByOffset(raw);
  const tensors = new Map<string, TensorInfo>();
  for (const tensor of raw) {
    const rule = nameRule(tensor.name) ?? sizeRule(tensor);
    if (rule === undefined) tensors.set(tensor.name, tensor as TensorInfo);
    else report(tensor.name, rule);
  }
  checkCoverage(raw, dataBytes, report);
  throwProblems(problems);
  return { tensors, metadata, dataBytes };
}

function scanHeader(json: Uint8Array, file: string, metadata: Map<string, string>): RawTensor[] {
  const scanner = new JsonScanner(json, file, "header");
  const raw: RawTensor[] = [];
  scanner.object((key) => {
    if (key === "__metadata__") {
      scanner.object((name) => {
        if (metadata.size === maxMetadataEntries) scanner.fail(`more than ${maxMetadataEntries} metadata entries`);
        metadata.set(name, scanner.string("a string as metadata value"));
      });
      return;
    }
    if (raw.length === maxTensorsPerFile) scanner.fail(`more than ${maxTensorsPerFile} tensors in one file`);
    raw.push(scanTensor(scanner, key));
  });
  scanner.endWithSpaces();
  return raw;
}

function scanTensor(scanner: JsonScanner, name: string): RawTensor {
  const found: { dtype?: string; shape?: number[]; offsets?: number[] } = {};
  scanner.object((field) => {
    if (field === "dtype") found.dtype = scanner.string("a dtype name");
    else if (field === "shape") found.shape = scanWholeNumbers(scanner, "a dimension", maxRank);
    else if (field === "data_offsets") found.offsets = scanWholeNumbers(scanner, "a data offset", 2);
    else scanner.fail("a tensor has only the fields dtype, shape and data_offsets");
  });
  const { dtype, shape, offsets } = found;
  if (dtype === undefined || shape === undefined || offsets?.length !== 2) {
    scanner.fail(`tensor ${quoteName(name)} needs dtype, shape and data_offsets: [begin, end]`);
  }
  return { name, dtype, shape, begin: offsets[0]!, end: offsets[1]! };
}

function scanWholeNumbers(scanner: JsonScanner, what: string, maxCount: number): number[] {
  const numbers: number[] = [];
  scanner.array(() => {
    if (numbers.length === maxCount) scanner.fail(`more than ${maxCount} numbers where ${what} is expected`);
    numbers.push(scanner.wholeNumber(what));
  });
  return numbers;
}

/** Why a tensor name cannot be used, or undefined. Control characters would reach terminals and logs. */
export function nameRule(name: string): string | undefined {
  if (name.length > maxNameLength) return `the name has ${name.length} characters, more than ${maxNameLength}`;
  if (!name.isWellFormed()) return "the name contains half a surrogate pair";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return "the name contains control characters";
  return undefined;
}

function sizeRule({ dtype, shape, begin, end }: RawTensor): string | undefined {
  if (!isDType(dtype)) {
    const reason = refusedDTypeReason(dtype);
    return reason === undefined ? `unknown dtype ${JSON.stringify(dtype.slice(0, 40))}` : `dtype ${dtype}: ${reason}`;
  }
  if (end < begin) return `data_offsets [${begin}, ${end}] end before they begin`;
  const bytes = tensorBytes(dtype, shape);
  if (bytes === undefined) return `shape [${shape.join(", ")}] is larger than any file`;
  if (bytes === end - begin) return undefined;
  return `shape [${shape.join(", ")}] of ${dtype} is ${bytes} bytes, but data_offsets hold ${end - begin}`;
}

function sortByOffset(raw: RawTensor[]): void {
  const sorted = raw.every((tensor, index) => index === 0 || compareOffsets(raw[index - 1]!, tensor) <= 0);
  if (!sorted) raw.sort(compareOffsets);
}

function compareOffsets(a: RawTensor, b: RawTensor): number {
  return a.begin - b.begin || a.end - b.end;
}

function checkCoverage(
  sorted: readonly RawTensor[],
  dataBytes: number,
  report: (tensor: string, rule: string, hint?: string) => void,
): void {
  let covered = 0;
  for (const { name, begin, end } of sorted) {
    if (begin < covered) report(name, `its bytes [${begin}, ${end}) overlap another tensor's, which end at ${covered}`);
    else if (begin > covered) report(name, `${begin - covered} bytes before its offset ${begin} belong to no tensor`);
    covered = Math.max(covered, end);
  }
  const last = sorted.at(-1)?.name ?? "";
  if (covered > dataBytes) {
    const hint = "the file is truncated: download or copy it again";
    report(last, `the tensors need ${covered} bytes of data, the file has ${dataBytes}`, hint);
  } else if (covered < dataBytes) {
    report(last, `${dataBytes - covered} bytes after the last tensor belong to no tensor`);
  }
}
