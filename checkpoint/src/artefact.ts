// An artefact: what EMR-Merging and TALL masks make of a base and its fine-tuned models. A directory with one task vector that all
// tasks share, a bit mask for each task, and `artefact.json` that names the tasks and their scales. It is no model:
// the one of a task is base + scale * mask * vector. Its files:
//
//   artefact.json            the tasks in order; task i has bit i % 8 of masks-<i / 8>.safetensors
//   vector.safetensors       the model's tensor names
//   masks-0.safetensors      U8, the same shapes; names with the prefix `masks.0.`
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Checkpoint } from "./checkpoint.ts";
import { CheckpointError } from "./errors.ts";
import { isJsonObject, parseJsonObject } from "./json-file.ts";
import type { JsonValue } from "./json-scanner.ts";
import { maxJsonBytes } from "./limits.ts";
import { openFileSource, type ReadOptions } from "./source.ts";
import { lstatIfAny } from "./system-error.ts";

export const artefactName = "artefact.json";
export const vectorFile = "vector.safetensors";
/** Tasks whose masks share a file. */
export const tasksPerMaskFile = 8;
export const maskFile = (group: number): string => `masks-${group}.safetensors`;
export const maskTensor = (group: number, tensor: string): string => `masks.${group}.${tensor}`;

export interface ArtefactTask {
  readonly name: string;
  readonly scale: number;
}

export interface Artefact {
  readonly method: string;
  /** In the order of their masks. */
  readonly tasks: readonly ArtefactTask[];
  /** `contentDigest` of the base. */
  readonly baseDigest: string;
  /** Regular expressions: tensors that were left to the base. */
  readonly exclude: readonly string[];
}

/** The text of `artefact.json`. */
export function artefactText({ method, tasks, baseDigest, exclude }: Artefact): string {
  const written = tasks.map(({ name, scale }) => ({ name, scale }));
  return `${JSON.stringify({ schemaVersion: 1, method, baseDigest, exclude, tasks: written }, undefined, 2)}\n`;
}

/** The artefact in a directory, or undefined where there is none. Throws a CheckpointError when its description is not valid. */
export async function readArtefact(directory: string, options: ReadOptions = {}): Promise<Artefact | undefined> {
  const path = join(directory, artefactName);
  const stats = await stat(directory).catch(() => undefined);
  if (stats?.isDirectory() !== true || (await lstatIfAny(path)) === undefined) return undefined;
  await using source = await openFileSource(path, { noFollow: true });
  if (source.byteLength > maxJsonBytes) {
    throw new CheckpointError({ file: path, rule: `has ${source.byteLength} bytes, more than ${maxJsonBytes}` });
  }
  const bytes = new Uint8Array(source.byteLength);
  await source.readInto(bytes, 0, options);
  return parseArtefact(bytes, path);
}

function parseArtefact(bytes: Uint8Array, file: string): Artefact {
  const json = parseJsonObject(bytes, file);
  const fail = (rule: string): never => {
    throw new CheckpointError({ file, rule });
  };
  if (json["schemaVersion"] !== 1) fail("schemaVersion must be 1");
  const text = (value: JsonValue | undefined, key: string): string =>
    typeof value === "string" ? value : fail(`${JSON.stringify(key)} must be a text`);
  const list = (key: string): readonly JsonValue[] => {
    const value = json[key];
    return Array.isArray(value) ? value : fail(`${JSON.stringify(key)} must be a list`);
  };
  const tasks = list("tasks").map((task): ArtefactTask => {
    if (!isJsonObject(task)) return fail("each of the tasks must be an object");
    const scale = task["scale"];
    if (typeof scale !== "number" || !Number.isFinite(scale)) return fail("the scale of a task must be a number");
    return { name: text(task["name"], "name"), scale };
  });
  if (tasks.length === 0) fail("it has no tasks");
  if (new Set(tasks.map(({ name }) => name)).size < tasks.length) fail("two tasks have the same name");
  return {
    method: text(json["method"], "method"),
    tasks,
    baseDigest: text(json["baseDigest"], "baseDigest"),
    exclude: list("exclude").map((pattern) => text(pattern, "exclude")),
  };
}

/** The masks of a file under the names of the tensors that they are for. */
export function unprefixedMasks(masks: Checkpoint): Checkpoint {
  const tensors = [...masks.tensors.values()].map((tensor) => {
    const name = tensor.name.replace(/^masks\.\d+\./, "");
    return [name, { ...tensor, name }] as const;
  });
  return { ...masks, tensors: new Map(tensors) };
}
