// `amalgam.json`: how a model was made, and the sha256 of every tensor, weight file's header and other file, so that it can be made
// again and checked.
// Its text is a function of its contents: no times, host names or absolute paths.

import { type DType, isDType } from "./dtype.ts";
import { CheckpointError } from "./errors.ts";
import { isJsonObject, parseJsonObject } from "./json-file.ts";
import type { JsonObject, JsonValue } from "./json-scanner.ts";

export const manifestName = "amalgam.json";

/** A weight file of an input, known by its digest or, on a server, by its version. */
export interface InputFileRecord {
  readonly name: string;
  readonly byteLength: number;
  /** Of the header, length included. */
  readonly headerSha256: string;
  /** Of a remote file: its commit on the Hub, entity tag or time of modification. */
  readonly version?: string;
  /** Of the whole file, where it was wanted: it costs a read of all of it. */
  readonly sha256?: string;
}

/** One input model. `path` is as the recipe writes it. */
export interface InputRecord {
  readonly path: string;
  /** {@link Checkpoint.identityDigest}. */
  readonly identityDigest: string;
  readonly files: readonly InputFileRecord[];
}

export interface TensorRecord {
  readonly file: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly sha256: string;
}

/** A weight file is known by its header and the digests of its tensors, any other file by its own digest. */
export type FileRecord =
  | { readonly byteLength: number; readonly sha256: string }
  | { readonly byteLength: number; readonly headerSha256: string };

/** How the model was made: what the caller of {@link Staging.seal} knows. */
export interface Provenance {
  /** Text of the recipe. */
  readonly recipe: string;
  readonly seed: number;
  /** Name to version of what computed the bytes: amalgam, the back-end, ... */
  readonly versions: Readonly<Record<string, string>>;
  readonly inputs: readonly InputRecord[];
}

export interface Manifest extends Provenance {
  readonly schemaVersion: 1;
  /** Digest of the plan that this output completes. */
  readonly planDigest: string;
  readonly tensors: ReadonlyMap<string, TensorRecord>;
  /** Every file of the directory but the manifest. */
  readonly files: ReadonlyMap<string, FileRecord>;
}

/** The manifest's text: fixed key order, one line per tensor and file, names sorted. */
export function manifestText(manifest: Manifest): string {
  const inputs = manifest.inputs.map(({ path, identityDigest, files }) => ({
    path,
    identityDigest,
    files: files.map(({ name, byteLength, headerSha256, version, sha256 }) => {
      return { name, byteLength, headerSha256, version, sha256 };
    }),
  }));
  const members = [
    `"schemaVersion": ${manifest.schemaVersion}`,
    `"planDigest": ${JSON.stringify(manifest.planDigest)}`,
    `"recipe": ${JSON.stringify(manifest.recipe)}`,
    `"seed": ${JSON.stringify(manifest.seed)}`,
    `"versions": ${table(Object.entries(manifest.versions), (version) => version)}`,
    `"inputs": [${inputs.map((input) => `\n    ${JSON.stringify(input)}`).join(",")}${inputs.length === 0 ? "" : "\n  "}]`,
    `"files": ${table(manifest.files, (record) => record)}`,
    `"tensors": ${table(manifest.tensors, ({ file, dtype, shape, sha256 }) => ({ file, dtype, shape, sha256 }))}`,
  ];
  return `{\n  ${members.join(",\n  ")}\n}\n`;
}

/** Parses a manifest; throws a CheckpointError when the bytes are not one. */
export function parseManifest(bytes: Uint8Array, file: string): Manifest {
  const json = parseJsonObject(bytes, file);
  if (json["schemaVersion"] !== 1) {
    const hint = "it was written by another version of amalgam";
    throw new CheckpointError({ file, rule: "schemaVersion must be 1", hint });
  }
  const need = new Reader(file);
  return {
    schemaVersion: 1,
    planDigest: need.text(json, "planDigest"),
    recipe: need.text(json, "recipe"),
    seed: need.number(json, "seed"),
    versions: Object.fromEntries(
      need.members(json, "versions").map(([name]) => [name, need.text(need.object(json, "versions"), name)]),
    ),
    inputs: need.objects(json, "inputs").map((input) => ({
      path: need.text(input, "path"),
      identityDigest: need.text(input, "identityDigest"),
      files: need.objects(input, "files").map((entry) => ({
        name: need.text(entry, "name"),
        byteLength: need.number(entry, "byteLength"),
        headerSha256: need.text(entry, "headerSha256"),
        ...need.optionalText(entry, "version"),
        ...need.optionalText(entry, "sha256"),
      })),
    })),
    files: new Map(
      need.members(json, "files").map(([name, entry]) => {
        const record = need.asObject(entry, name);
        const byteLength = need.number(record, "byteLength");
        const isWeights = record["headerSha256"] !== undefined;
        return [
          name,
          isWeights
            ? { byteLength, headerSha256: need.text(record, "headerSha256") }
            : { byteLength, sha256: need.text(record, "sha256") },
        ];
      }),
    ),
    tensors: new Map(
      need.members(json, "tensors").map(([name, entry]) => [name, tensorRecord(need, need.asObject(entry, name))]),
    ),
  };
}

function tensorRecord(need: Reader, entry: JsonObject): TensorRecord {
  const dtype = need.text(entry, "dtype");
  const shape = entry["shape"];
  if (!isDType(dtype)) return need.fail("dtype");
  if (!Array.isArray(shape) || !shape.every((dimension) => typeof dimension === "number")) return need.fail("shape");
  return { file: need.text(entry, "file"), dtype, shape, sha256: need.text(entry, "sha256") };
}

function table<T>(entries: Iterable<readonly [string, T]>, record: (value: T) => unknown): string {
  const sorted = [...entries].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const lines = sorted.map(([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(record(value))}`);
  return lines.length === 0 ? "{}" : `{\n${lines.join(",\n")}\n  }`;
}

/** Typed access to the members of a parsed manifest. */
class Reader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  fail(key: string): never {
    throw new CheckpointError({ file: this.#file, rule: `${JSON.stringify(key)} is missing or of the wrong type` });
  }

  text(from: JsonObject, key: string): string {
    const value = from[key];
    return typeof value === "string" ? value : this.fail(key);
  }

  optionalText(from: JsonObject, key: string): Readonly<Record<string, string>> {
    return from[key] === undefined ? {} : { [key]: this.text(from, key) };
  }

  number(from: JsonObject, key: string): number {
    const value = from[key];
    return typeof value === "number" ? value : this.fail(key);
  }

  object(from: JsonObject, key: string): JsonObject {
    return this.asObject(from[key], key);
  }

  asObject(value: JsonValue | undefined, key: string): JsonObject {
    return isJsonObject(value) ? value : this.fail(key);
  }

  members(from: JsonObject, key: string): [string, JsonValue][] {
    return Object.entries(this.object(from, key));
  }

  objects(from: JsonObject, key: string): JsonObject[] {
    const value = from[key];
    return Array.isArray(value) ? value.map((item) => this.asObject(item, key)) : this.fail(key);
  }
}
