// `model.safetensors.index.json`: which file holds which tensor. Untrusted: a file name in it is a plain name or an error.
import { fileNameRule } from "./contained-path.ts";
import { CheckpointError, quoteName, throwProblems } from "./errors.ts";
import { isJsonObject } from "./json-file.ts";
import { JsonScanner, type JsonValue } from "./json-scanner.ts";
import { maxFiles } from "./limits.ts";

export interface SafetensorsIndex {
  /** Tensor name to file name. */
  readonly weightMap: ReadonlyMap<string, string>;
  /** `metadata.total_size`: the sum of all tensors' bytes, when the writer stated it. */
  readonly totalBytes: number | undefined;
}

/** Parses an index. Throws every bad file name at once. */
export function parseIndex(bytes: Uint8Array, file: string): SafetensorsIndex {
  const scanner = new JsonScanner(bytes, file, "index");
  const weightMap = new Map<string, string>();
  const found: { metadata?: JsonValue; weightMap?: true } = {};
  scanner.object((key) => {
    if (key === "weight_map") {
      found.weightMap = true;
      scanner.object((tensor) => weightMap.set(tensor, scanner.string("a file name")));
    } else if (key === "metadata") found.metadata = scanner.value();
    else scanner.value();
  });
  scanner.end();
  if (found.weightMap === undefined) throw new CheckpointError({ file, rule: "the index has no weight_map" });
  if (weightMap.size === 0) throw new CheckpointError({ file, rule: "the index names no tensor" });
  checkFileNames(new Set(weightMap.values()), file);
  return { weightMap, totalBytes: totalSize(found.metadata, file) };
}

function checkFileNames(names: ReadonlySet<string>, file: string): void {
  if (names.size > maxFiles) throw new CheckpointError({ file, rule: `the index names more than ${maxFiles} files` });
  const problems: CheckpointError[] = [];
  for (const name of names) {
    const suffix = name.endsWith(".safetensors") ? undefined : "is not a .safetensors file";
    const rule = fileNameRule(name) ?? suffix;
    if (rule !== undefined)
      problems.push(new CheckpointError({ file, rule: `the file name ${quoteName(name)} ${rule}` }));
  }
  throwProblems(problems);
}

function totalSize(metadata: JsonValue | undefined, file: string): number | undefined {
  if (metadata === undefined || metadata === null) return undefined;
  if (!isJsonObject(metadata)) throw new CheckpointError({ file, rule: "metadata must be an object" });
  const size = metadata["total_size"];
  if (size === undefined) return undefined;
  if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0) return size;
  throw new CheckpointError({ file, rule: "metadata.total_size must be a whole number of bytes" });
}
