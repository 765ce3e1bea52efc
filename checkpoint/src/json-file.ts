// Reads one whole JSON side file (config.json, an index, a manifest) with the strict scanner, bounded in size and depth.

import { CheckpointError } from "./errors.ts";
import { type JsonObject, JsonScanner, type JsonValue } from "./json-scanner.ts";

/** Parses a JSON document. Duplicate keys and deep nesting are errors; NaN and Infinity are read as Python writes them. */
export function parseJson(bytes: Uint8Array, file: string): JsonValue {
  const scanner = new JsonScanner(bytes, file, "JSON");
  const value = scanner.value({ nonFinite: true });
  scanner.end();
  return value;
}

/** Parses a JSON document whose top level must be an object. */
export function parseJsonObject(bytes: Uint8Array, file: string): JsonObject {
  const value = parseJson(bytes, file);
  if (!isJsonObject(value)) throw new CheckpointError({ file, rule: "the JSON must be an object at the top level" });
  return value;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
